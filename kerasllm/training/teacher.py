"""A trained classifier as a teacher: what it says of texts, computed once and kept on disk."""

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..atomic import new_folder
from ..data.dataset import Split, TextDataset
from ..data.tokens import token_cache
from ..extras import require
from ..run import Run, open_run, predict_logits
from ..tokenizing.tokenizer import load_tokenizer, vocab_size

_FORMAT = 1  # goes into the key: raise it when the meaning of the arrays changes
_LEAST = 1e-9  # probability
_SPREAD = 0.25  # standard deviation of the values of word vectors: as large as a recurrent layer likes its inputs


@dataclass(frozen=True)
class Teacher:
    """A RUN or a BUNDLE of text classification; `open_teacher` opens one.

    Attributes:
        path: The folder.
        labels: The classes' names, in the order of its logits.
        multi_label: Whether a text has any number of labels instead of exactly one.
        fingerprint: A sha256 of what it answers with.
    """

    path: Path
    labels: tuple[str, ...]
    multi_label: bool
    fingerprint: str

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer, for a student that reads as it does."""
        return load_tokenizer(self.path / "tokenizer.json")

    def logits(self, split: Split, folder: Path | None = None) -> np.ndarray:
        """What it says of texts; the same array is computed once and then read.

        Args:
            split: The texts.
            folder: Where answers lie; by default `kerasllm/answers` in $XDG_CACHE_HOME, or in ~/.cache.

        Returns:
            float32 [texts, labels]. Those of a BUNDLE are the logarithms of its scores, which differ from its logits by
            a constant a text, and for multi-label not at all.
        """
        return self._cached("logits", split, folder)

    def states(self, split: Split, folder: Path | None = None) -> np.ndarray:
        """What its head reads of texts, float32 [texts, width]; of a RUN only, and kept as `logits` are."""
        return self._cached("states", split, folder)

    def word_vectors(self, width: int) -> np.ndarray:
        """Its token embeddings as a classifier's initial ones; of a RUN only.

        Centred, turned to their principal axes, of which the first are kept, and scaled.

        Args:
            width: Numbers a vector has; at most the teacher's own.

        Returns:
            float32 [vocab_size, width].
        """
        table = _token_embeddings(self._run().load_model(), vocab_size(self.tokenizer))
        if width > table.shape[1]:
            raise ValueError(
                f"`embedding_dim` must be at most {table.shape[1]}, the width of the teacher's word vectors. "
                f"Received: {width}."
            )
        table = table - table.mean(axis=0)
        axes = np.linalg.eigh(table.T @ table)[1][:, ::-1]  # the widest first
        table = table @ axes[:, :width]
        return (table * (_SPREAD / table.std())).astype(np.float32)

    def _run(self) -> Run:
        if (self.path / "kerasllm.json").is_file():
            raise ValueError(
                f"A teacher's states and word vectors are read from its RUN. Received: {self.path}, a BUNDLE. "
                "Name the run that it was exported from."
            )
        return open_run(self.path)

    def _cached(self, kind: str, split: Split, folder: Path | None) -> np.ndarray:
        entry = (folder or _default_folder()) / self._key(kind, split)
        path = entry / "answers.npy"
        try:
            return np.load(path)
        except (OSError, ValueError):  # none yet, or a damaged one
            answers = (self._ask_bundle if self._is_bundle(kind) else self._ask_run)(kind, split)
        with new_folder(entry, overwrite=True) as new:
            np.save(new / path.name, answers)
        return answers

    def _is_bundle(self, kind: str) -> bool:
        return kind == "logits" and (self.path / "kerasllm.json").is_file()

    def _ask_bundle(self, _: str, split: Split) -> np.ndarray:
        from ..serving import load

        texts = split.texts if split.pairs is None else list(zip(split.texts, split.pairs, strict=True))
        scores = load(self.path).probabilities(texts)
        logits = np.log(np.maximum(scores, _LEAST))
        return logits - np.log(np.maximum(1 - scores, _LEAST)) if self.multi_label else logits

    def _ask_run(self, kind: str, split: Split) -> np.ndarray:
        run = self._run()
        model = run.load_model()
        if kind == "states":
            model = require("train", "keras").Model(model.inputs, pooled_state(model))
        dataset = TextDataset(name="", labels=self.labels, multi_label=self.multi_label, splits={"asked": split})
        segments = "token_type_ids" in [tensor.name for tensor in model.inputs]
        tokens = token_cache(dataset, run.load_tokenizer(), run.max_length, segments=segments)["asked"]
        return predict_logits(model, tokens)

    def _key(self, kind: str, split: Split) -> str:
        digest = hashlib.sha256(repr((_FORMAT, kind, self.fingerprint, len(split))).encode())
        for text in (*split.texts, *(split.pairs or ())):
            digest.update(repr(text).encode())
        return digest.hexdigest()[:32]


def open_teacher(path: str | Path) -> Teacher:
    """Opens a RUN or a BUNDLE to learn from.

    Raises:
        FileNotFoundError: There is neither.
        ValueError: It is damaged, or no text classifier.
    """
    path = Path(path)
    if (path / "kerasllm.json").is_file():
        from ..serving.bundle import open_bundle

        manifest = open_bundle(path).manifest
        task, labels, multi_label, answers = manifest.task, manifest.labels, manifest.multi_label, "kerasllm.json"
    else:
        run = open_run(path)
        task, labels, multi_label, answers = run.config["task"], run.labels, run.multi_label, "model.keras"
    if task != "text-classification":
        raise ValueError(f"A teacher must be a text classifier. Received: {path}, for {task}.")
    with (path / answers).open("rb") as file:  # a bundle's kerasllm.json holds the sums of its other files
        return Teacher(path, tuple(labels), multi_label, hashlib.file_digest(file, "sha256").hexdigest())


def pooled_state(model: Any) -> Any:
    """The tensor that a classifier's head reads, [batch, width], as it is before dropout."""
    state = model.get_layer("logits").input
    layer = state._keras_history.operation
    return layer.input if isinstance(layer, require("train", "keras").layers.Dropout) else state


def _token_embeddings(model: Any, tokens: int) -> np.ndarray:
    """The model's table of token embeddings, float32 [tokens, width]."""
    embedding = require("train", "keras").layers.Embedding
    tables = [layer for layer in model._flatten_layers() if isinstance(layer, embedding) and layer.input_dim >= tokens]
    if not tables:
        raise ValueError(f"A teacher of word vectors must embed its {tokens:,} tokens. Received: one that does not.")
    return np.array(tables[0].get_weights()[0][:tokens])


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kerasllm" / "answers"

"""The RUN folder: what a training leaves behind, and how to open it.

config.json     the whole resolved configuration, labels, versions, seed, fingerprint of the data
tokenizer.json  the tokenizer, the same in training and serving
model.keras     the best epoch's weights so far
history.csv     a row an epoch
curves.png      the same as a picture
metrics.json    scores of the best epoch; it is written last, so a run that has it is finished
checkpoints/    what `--resume` goes on from
"""

import json
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np
from tokenizers import Tokenizer

from .data.batches import BatchConfig, batches, in_dataset_order, steps
from .data.dataset import TextDataset
from .data.sources import DataConfig, load_dataset
from .data.tokens import TokenSplit
from .extras import require
from .metrics.classification import activate
from .tokenizing.tokenizer import encode, load_tokenizer, pad_id

RUN_FORMAT = 1

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A RUN folder. Files are read when they are first needed.

    Attributes:
        path: The folder.
    """

    path: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """The content of config.json: a section for each of the dataclasses that `train` takes, and what it found."""
        return json.loads((self.path / "config.json").read_text(encoding="utf-8"))

    @property
    def task(self) -> str:
        """The Hugging Face name of the task that the model was trained for."""
        return self.config.get("task", "text-classification")

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes' names, in the order of the logits."""
        return tuple(self.config["labels"])

    @property
    def multi_label(self) -> bool:
        """Whether a text has any number of labels instead of exactly one."""
        return self.config["multi_label"]

    @property
    def max_length(self) -> int:
        """Tokens kept of each text."""
        return self.config["tokenizer"]["max_length"]

    @property
    def finished(self) -> bool:
        """Whether training came to its end."""
        return (self.path / "metrics.json").is_file()

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json, of a finished run."""
        return json.loads((self.path / "metrics.json").read_text(encoding="utf-8"))

    def load_model(self) -> Any:
        """The best epoch's `keras.Model`, loaded in safe mode: no code from the file is run."""
        if self.task == "text-generation":  # KerasHub's configurations forget parts, so a decoder is built anew
            from .models.decoder import load_causal_lm

            return load_causal_lm(self)
        keras = require("train", "keras")
        return keras.saving.load_model(self.path / "model.keras", compile=False, safe_mode=True)

    def load_tokenizer(self) -> Tokenizer:
        """The tokenizer that the model was trained with."""
        return load_tokenizer(self.path / "tokenizer.json")

    def dataset(self) -> TextDataset:
        """The data that the model was trained on, read again from their source."""
        return load_dataset(from_settings(DataConfig, self.config["data"]))

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """The model's scores of every label, as the BUNDLE's classifier gives them.

        Args:
            texts: Any strings.

        Returns:
            float32 [texts, labels], each from 0 to 1, in the order of `texts`.
        """
        tokenizer = self.load_tokenizer()
        ids = encode(tokenizer, texts, self.max_length)
        offsets = np.cumsum([0, *map(len, ids)])
        split = TokenSplit(np.concatenate(ids), offsets, np.zeros(len(ids), np.int64), pad_id(tokenizer))
        return activate(predict_logits(self.load_model(), split), self.multi_label)


def predict_logits(model: Any, split: TokenSplit, config: BatchConfig | None = None) -> np.ndarray:
    """The model's logits, float32 [examples, classes], in the order of the split."""
    config = config or BatchConfig()
    outputs = model.predict(batches(split, config, training=False), steps=steps(split, config), verbose=0)
    return in_dataset_order(outputs, split, config)


def open_run(path: str | Path) -> Run:
    """Opens a RUN folder to use its model.

    Raises:
        FileNotFoundError: There is no such folder, or a file of it is missing; the message says what to do.
        ValueError: Its config.json cannot be read, or is of a newer version.
    """
    path = Path(path)
    if not (path / "config.json").is_file():
        raise FileNotFoundError(
            f"A run must be a folder that `kerasllm train` wrote. Received: {path}, which has no config.json."
        )
    run = check_format(Run(path))
    for name in ("tokenizer.json", "model.keras"):
        if not (path / name).is_file():
            raise FileNotFoundError(
                f"A run must hold a model. Received: {path}, which has no {name}. "
                "Train it with `kerasllm train --resume` until its first epoch is over."
            )
    return run


def check_format(run: Run) -> Run:
    """The run itself, if this version can read its config.json."""
    try:
        version = int(run.config["format"])
        missing = {"labels", "multi_label", "data", "tokenizer"} - run.config.keys()
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"A run must hold a config.json of kerasllm. Received: {run.path}, where it is not one."
        ) from error
    if version > RUN_FORMAT:
        raise ValueError(
            f"A run must be of format {RUN_FORMAT} or older for this kerasllm. Received: {run.path}, of format "
            f"{version}. Upgrade kerasllm."
        )
    if missing:
        raise ValueError(
            f"A run's config.json must be whole. Received: {run.path}, where it lacks {', '.join(sorted(missing))}."
        )
    return run


def to_settings(config: Any) -> dict[str, Any]:
    """A configuration dataclass as JSON holds it: paths as text, tuples as lists."""
    return {field.name: _plain(getattr(config, field.name)) for field in fields(config)}


def from_settings(cls: type[T], settings: dict[str, Any]) -> T:
    """The configuration dataclass that `to_settings` was given."""
    hints = get_type_hints(cls)
    return cls(**{name: _typed(hints[name], value) for name, value in settings.items() if name in hints})


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_settings(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _typed(hint: Any, value: Any) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return from_settings(hint, value)
    if isinstance(value, list):
        return tuple(value)
    return Path(value) if isinstance(value, str) and Path in (hint, *get_args(hint)) else value

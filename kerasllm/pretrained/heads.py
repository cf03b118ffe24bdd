"""The head of a folder of Hugging Face that was fine-tuned for a task, so that it can be exported as it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..extras import require
from ..models.encoder import Encoder, EncoderConfig, open_encoder
from .huggingface import Pretrained, read_pretrained
from .settings import read_json

# How the name of a class in "architectures" ends, to the name of its task.
_TASKS = {
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
}
# For text-classification: the dense layer on the first token's state, its activation, and the layer of the logits.
_CLASSIFIERS = {
    "bert": ("pooler.dense", "tanh", "classifier"),
    "albert": ("pooler", "tanh", "classifier"),
    "distilbert": ("pre_classifier", "relu", "classifier"),
    "roberta": ("classifier.dense", "tanh", "classifier.out_proj"),
    "electra": ("classifier.dense", "gelu", "classifier.out_proj"),
}


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned folder.

    Attributes:
        task: The Hugging Face name of its task.
        model: A task model, as `kerasllm.tasks` describes them.
        tokenizer: Its own.
        labels: The classes' names, in the order of the logits; none for question-answering.
        multi_label: Whether a text has any number of labels instead of exactly one.
        max_length: Most tokens that it can read at once.
    """

    task: str
    model: Any
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    multi_label: bool
    max_length: int


def fine_tuned_task(folder: Path) -> str | None:
    """The task that a folder's config.json says it was fine-tuned for; None: for none that has its head here."""
    names = read_json(folder / "config.json").get("architectures") or [""]
    return next((task for ending, task in _TASKS.items() if str(names[0]).endswith(ending)), None)


def read_fine_tuned(folder: Path) -> FineTuned:
    """Reads a folder of Hugging Face with the head of its task.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: It has no known head, or is damaged, or its parts contradict each other.
    """
    task = fine_tuned_task(folder)
    if task is None:
        raise ValueError(f"A fine-tuned folder must be one of {', '.join(_TASKS)}. Received: {folder}, which is none.")
    settings = read_json(folder / "config.json")
    encoder, pretrained = open_encoder(EncoderConfig(encoder=str(folder))), read_pretrained(folder)
    labels = () if task == "question-answering" else _labels(settings, folder)
    model = _model(task, encoder, pretrained, len(labels))
    multi_label = settings.get("problem_type") == "multi_label_classification"
    return FineTuned(task, model, encoder.tokenizer, labels, multi_label, encoder.max_length)


def _model(task: str, encoder: Encoder, pretrained: Pretrained, classes: int) -> Any:
    keras = require("train", "keras")
    inputs = encoder.inputs()
    states = encoder.hidden_state(encoder.backbone(), inputs)  # [batch, sequence, hidden]
    if task == "question-answering":
        logits = _dense(pretrained, "qa_outputs", 2)(states)
        return keras.Model(inputs, {"start_logits": logits[..., 0], "end_logits": logits[..., 1]})
    if task == "token-classification":
        return keras.Model(inputs, {"logits": _dense(pretrained, "classifier", classes)(states)})
    first, activation, last = _CLASSIFIERS[pretrained.config.architecture]
    pooled = _dense(pretrained, first, encoder.hidden, activation)(states[:, 0])
    return keras.Model(inputs, {"logits": _dense(pretrained, last, classes)(pooled)})


def _dense(pretrained: Pretrained, name: str, units: int, activation: str | None = None) -> Any:
    """A layer with the folder's weights."""
    width = pretrained.config.hidden
    kernel = _tensor(pretrained, f"{name}.weight", (units, width))
    layer = require("train", "keras").layers.Dense(units, activation=activation, name=name.replace(".", "_"))
    layer.build((None, width))
    layer.set_weights([kernel.T, _tensor(pretrained, f"{name}.bias", (units,))])
    return layer


def _tensor(pretrained: Pretrained, name: str, shape: tuple[int, ...]) -> np.ndarray:
    tensors = pretrained.tensors
    found = tensors.shapes.get(pretrained.names.get(name, ""))
    if found != shape:
        what = "none" if found is None else str(list(found))
        raise ValueError(
            f"A fine-tuned folder must hold the head that its config.json speaks of: {name} {list(shape)}. "
            f"Received: {tensors.folder}, with {what}."
        )
    return tensors.load(pretrained.names[name])


def _labels(settings: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """The classes' names in the order of their ids, which JSON holds as text."""
    names = settings.get("id2label")
    if not isinstance(names, dict) or sorted(names) != sorted(str(index) for index in range(len(names))) or not names:
        raise ValueError(
            f"A fine-tuned folder's config.json must name its labels in id2label, from 0 on. "
            f"Received: {names!r} in {folder}."
        )
    return tuple(str(names[str(index)]) for index in range(len(names)))

"""How a Keras model takes texts and gives answers: read off its graph; asked for only where that does not say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tokenizers

from ..tokenizing.tokenizer import pad_id, vocab_size
from .compiler import functional_graph
from .forms import FORMS, TaskForm, form_of
from .interface import call, id_embeddings, positions, read_inputs, read_outputs

Activation = Literal["softmax", "sigmoid", "none"]
Side = Literal["right", "left"]
Last = Literal["softmax", "sigmoid", "linear"]

# Tokens of a text that are kept when nobody says otherwise; the tokenizer's own default.
_MAX_LENGTH = 256
# Keras's own answers to the same text with more padding differ by rounding alone if padding is masked.
_TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What the runtime must know of a model to feed it and to read its answer."""

    task: str = "text-classification"
    """The Hugging Face name of the task."""
    inputs: dict[str, str]
    """Role ("input_ids", "attention_mask", "token_type_ids") to the name of the model's input, in the model's order."""
    outputs: tuple[str, ...] = ("logits",)
    """The task's name of each output of the model, in the model's order."""
    applied: Activation
    """What the Keras model itself applies at its end, and the graph of the bundle does not."""
    one_for_two: bool
    """Whether the model has one score, that of the second of two labels."""
    activation: Activation
    """What the runtime has to apply to the output of the bundle's graph."""
    max_length: int
    """Tokens kept of a text."""
    padding: Literal["longest", "max_length"]
    """How far a row is padded."""
    padding_side: Side
    """Where the padding goes."""
    pad_token_id: int
    """The id that fills short rows."""
    vocab_size: int
    """Ids of the tokenizer are below it."""

    @property
    def form(self) -> TaskForm:
        """The form of the task."""
        return form_of(self.task)

    def probe(self, model: keras.Model) -> "Probe":
        """Calls the model whose signature this is."""
        return Probe(model, tuple(self.inputs), self.outputs, self.form, self.pad_token_id, self.vocab_size)


def read_signature(
    model: keras.Model,
    tokenizer: tokenizers.Tokenizer,
    labels: Sequence[str] = (),
    *,
    task: str = "text-classification",
    multi_label: bool = False,
    max_length: int | None = None,
    activation: Activation | None = None,
    padding_side: Side | None = None,
) -> Signature:
    """Reads how a model is called, and checks it against its tokenizer and labels.

    Args:
        model: A functional or sequential model of the task's form (see `forms`), from token ids [batch, sequence] and
            at most an attention_mask and token_type_ids of the same shape.
        tokenizer: Its tokenizer.
        labels: Names of the classes, in the order of the scores, where the task has classes.
        task: The Hugging Face name of the task.
        multi_label: Whether a text can have several labels.
        max_length: Tokens kept of a text; None: the model's own fixed length, or its positions, else 256.
        activation: What makes probabilities of the model's output; None: read off its last layer.
        padding_side: Where the model was trained to find padding; None: right, if the model does not care.

    Returns:
        The signature.

    Raises:
        ValueError: Model, tokenizer and labels do not fit, or the graph does not tell what only the user knows.
    """
    form, function = form_of(task), functional_graph(model)
    inputs = read_inputs(function, task)
    padding_id, size = pad_id(tokenizer), vocab_size(tokenizer)
    outputs = read_outputs(function, form, task, {"labels": len(labels), "vocabulary": size})
    _check_embeddings(function, size, padding_id)
    fixed = function.inputs[0].shape[1]
    longest = _longest(fixed, positions(function), max_length)
    probe = Probe(model, tuple(inputs), outputs, form, padding_id, size)
    padded, side_matters = probe.padding_matters(fixed or min(12, longest))
    if padded and not (fixed or max_length):
        raise ValueError(
            "The model's answers change with the amount of padding, since nothing in it masks padding: say the length "
            "that texts were padded to in training (max_length, --max-length)."
        )
    # A mask of its own is how a transformer is told of padding on the right, wherever its positions would start else.
    if side_matters and padding_side is None and (fixed or padded or "attention_mask" not in inputs):
        raise ValueError(
            "The model's answers depend on the side that is padded, since nothing in it masks padding: say which one "
            "it was in training (padding_side, --padding-side: left or right; pad_sequences pads left by default)."
        )
    width = function.outputs[0].shape[-1] if task == "text-classification" else None
    applied, left = _activations(function, form, activation, multi_label=multi_label or width == 1)
    if task != "text-classification" and activation is None and (applied, left) == ("none", "softmax"):
        probe.refuse_probabilities(fixed or min(12, longest))
    one_for_two = left == "sigmoid" and width == 1 and len(labels) == 2
    return Signature(
        task=task,
        inputs=inputs,
        outputs=outputs,
        applied=applied,
        one_for_two=one_for_two,
        activation="softmax" if one_for_two else left,
        max_length=longest,
        padding="max_length" if fixed or padded else "longest",
        padding_side=padding_side or "right",
        pad_token_id=padding_id,
        vocab_size=size,
    )


def _longest(fixed: int | None, places: int | None, asked: int | None) -> int:
    """Tokens kept of a text."""
    if fixed and asked and fixed != asked:
        raise ValueError(f"max_length must be the length of the model's input, {fixed}. Received: {asked}.")
    if places and asked and asked > places:
        raise ValueError(
            f"max_length must not be above {places}, as many tokens as the model has positions for. Received: {asked}."
        )
    return fixed or asked or places or _MAX_LENGTH


def _check_embeddings(function: Any, size: int, padding_id: int) -> None:
    """Every id of the tokenizer must have a row, and padding must be what the model masks."""
    for layer in id_embeddings(function):
        if size > layer.input_dim:
            raise ValueError(
                f"The tokenizer must not have more ids than the layer {layer.name!r} has rows, {layer.input_dim}. "
                f"Received: a tokenizer of {size}. Give the tokenizer that the model was trained with."
            )
        if layer.mask_zero and padding_id != 0:
            raise ValueError(
                f"The layer {layer.name!r} masks id 0, so the tokenizer's padding must be id 0. "
                f"Received: padding with id {padding_id}. Give the tokenizer that the model was trained with."
            )


@dataclass(frozen=True)
class Probe:
    """Calls a model on one made-up row, to see what padding does."""

    model: keras.Model
    """The model."""
    inputs: Sequence[str]
    """The roles of its inputs, in order."""
    outputs: Sequence[str]
    """The names of its outputs, in order."""
    form: TaskForm
    """The form of its task."""
    pad: int
    """The padding id."""
    size: int
    """Ids are below it."""

    def padding_matters(self, length: int) -> tuple[bool, bool]:
        """Whether Keras's answer to a text changes with padding, and with its side.

        Args:
            length: The padded length.
        """
        tokens = [number for number in range(self.size) if number != self.pad][-max(1, length // 2) :]
        filler = [self.pad] * (length - len(tokens))
        right, left = (self.answer(row) for row in (tokens + filler, filler + tokens))
        fixed = functional_graph(self.model).inputs[0].shape[1]
        bare = right if fixed else self.answer(tokens)
        return not _close(bare, right), not _close(left, right)

    def refuse_probabilities(self, length: int) -> None:
        """Refuses outputs that are probabilities by their values, where logits are wanted."""
        for name, array in zip(self.outputs, self.answer([(self.pad + 1) % self.size] * length), strict=True):
            if array.shape[-1] > 1 and array.min() >= 0 and np.allclose(array.sum(-1), 1, atol=1e-3):
                raise ValueError(
                    f"The output {name} must be logits, with no activation after them. Received: probabilities, which "
                    "sum to 1. Take the softmax off the model's end."
                )

    def answer(self, row: list[int]) -> list[np.ndarray]:
        """The outputs for a row, those of tokens without the ones at padding."""
        ids = np.array([row], np.int64)
        real = ids != self.pad
        arrays = {"input_ids": ids, "attention_mask": real.astype(np.int64), "token_type_ids": np.zeros_like(ids)}
        outputs = call(self.model, [arrays[role] for role in self.inputs])
        tokenwise = map(self.form.per_token, self.outputs)
        return [array[real] if each else array for array, each in zip(outputs, tokenwise, strict=True)]


def _close(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> bool:
    return all(np.allclose(x, y, atol=_TOLERANCE, rtol=0, equal_nan=True) for x, y in zip(a, b, strict=True))


def _activations(
    function: Any, form: TaskForm, given: Activation | None, *, multi_label: bool
) -> tuple[Activation, Activation]:
    """What the model applies at its end, and what makes probabilities of its output."""
    if form.activation == "none":
        return "none", "none"
    if given is not None:
        return "none", given
    applied = _applied(function, form) if len(form.outputs) == 1 else "none"
    return applied, applied if applied != "none" else "sigmoid" if multi_label else "softmax"


def _applied(function: Any, form: TaskForm) -> Activation:
    """What the last layer makes of its scores: probabilities, or nothing."""
    last = _last_activation(function.outputs[0]._keras_history.operation)
    if last is not None:
        return "none" if last == "linear" else last
    if form is not FORMS["text-classification"]:
        return "none"  # the logits of tokens are cut and shaped in many ways; probabilities are found by their values
    raise ValueError(
        "The model's last operation does not tell whether its output is logits or probabilities. "
        f"Received: {function.outputs[0]._keras_history.operation.name!r}. "
        "Say what is still to be applied (activation, --activation: softmax, sigmoid or none)."
    )


def _last_activation(operation: Any) -> Last | None:
    """ "softmax", "sigmoid" or "linear" as the operation ends; None where it ends otherwise."""
    if hasattr(operation, "_nodes_by_depth") or isinstance(operation, keras.Sequential):
        return _last_activation(functional_graph(operation).outputs[0]._keras_history.operation)
    named: dict[Any, Last] = {
        keras.activations.softmax: "softmax",
        keras.activations.sigmoid: "sigmoid",
        keras.activations.linear: "linear",
    }
    if hasattr(operation, "activation"):
        return named.get(operation.activation)
    operators: dict[str, Last] = {"Softmax": "softmax", "Sigmoid": "sigmoid"}
    return operators.get(type(operation).__name__)

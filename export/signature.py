"""How a Keras model takes texts and gives scores: read off its graph; asked for only where that does not say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
import tokenizers

from ..tokenizer import pad_id, vocab_size
from .compiler import functional_graph

Activation = Literal["softmax", "sigmoid", "none"]
Side = Literal["right", "left"]
Last = Literal["softmax", "sigmoid", "linear"]

# Tokens of a text that are kept when nobody says otherwise; the tokenizer's own default.
_MAX_LENGTH = 256
# Keras's own answers to the same text with more padding differ by rounding alone if padding is masked.
_TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What the runtime must know of a classifier to feed it and to read its answer."""

    inputs: dict[str, str]
    """Role ("input_ids", "attention_mask") to the name of the model's input."""
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


def read_signature(
    model: keras.Model,
    tokenizer: tokenizers.Tokenizer,
    labels: Sequence[str],
    *,
    multi_label: bool = False,
    max_length: int | None = None,
    activation: Activation | None = None,
    padding_side: Side | None = None,
) -> Signature:
    """Reads how a text classifier is called, and checks it against its tokenizer and labels.

    Args:
        model: A functional or sequential model from token ids [batch, sequence], and at most a mask of the same shape,
            to scores [batch, labels], or [batch, 1] for two labels.
        tokenizer: Its tokenizer.
        labels: Names of the classes, in the order of the scores.
        multi_label: Whether a text can have several labels.
        max_length: Tokens kept of a text; None: the model's own fixed length, else 256.
        activation: What makes probabilities of the model's output; None: read off its last layer.
        padding_side: Where the model was trained to find padding; None: right, if the model does not care.

    Returns:
        The signature.

    Raises:
        ValueError: Model, tokenizer and labels do not fit, or the graph does not tell what only the user knows.
    """
    function = functional_graph(model)
    inputs = _roles(function)
    width = _check_output(function, labels)
    padding_id, size = pad_id(tokenizer), vocab_size(tokenizer)
    _check_embeddings(function, size, padding_id)
    fixed = function.inputs[0].shape[1]
    if fixed and max_length and fixed != max_length:
        raise ValueError(f"max_length must be the length of the model's input, {fixed}. Received: {max_length}.")
    padded, side_matters = _padding_matters(model, list(inputs), fixed or 12, padding_id, size)
    if padded and not (fixed or max_length):
        raise ValueError(
            "The model's answers change with the amount of padding, since nothing in it masks padding: say the length "
            "that texts were padded to in training (max_length, --max-length)."
        )
    if side_matters and padding_side is None:
        raise ValueError(
            "The model's answers depend on the side that is padded, since nothing in it masks padding: say which one "
            "it was in training (padding_side, --padding-side: left or right; pad_sequences pads left by default)."
        )
    applied: Activation = "none" if activation else _applied(function)
    if activation is None:
        activation = applied if applied != "none" else "sigmoid" if multi_label or width == 1 else "softmax"
    one_for_two = activation == "sigmoid" and width == 1 and len(labels) == 2
    return Signature(
        inputs=inputs,
        applied=applied,
        one_for_two=one_for_two,
        activation="softmax" if one_for_two else activation,
        max_length=fixed or max_length or _MAX_LENGTH,
        padding="max_length" if fixed or padded else "longest",
        padding_side=padding_side or "right",
        pad_token_id=padding_id,
        vocab_size=size,
    )


def call(model: keras.Model, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Runs the Keras model on one array an input, in the order of its inputs; float32 as it comes, [batch, scores]."""
    function = functional_graph(model)
    typed = [array.astype(tensor.dtype) for array, tensor in zip(arrays, function.inputs, strict=True)]
    feed = keras.tree.pack_sequence_as(function._inputs_struct, typed)
    return np.asarray(keras.ops.convert_to_numpy(function(feed, training=False)), np.float32)


def _roles(function: Any) -> dict[str, str]:
    """Which input is what: one input is the ids whatever its name; of two, one must be called attention_mask."""
    names = [tensor.name for tensor in function.inputs]
    if any(len(tensor.shape) != 2 for tensor in function.inputs):
        raise ValueError(
            f"Inputs of a text classifier must be [batch, sequence]. Received: {[t.shape for t in function.inputs]}."
        )
    if len(names) == 1:
        # A name that Keras made up is nobody's: then the one that every client of text models knows.
        return {"input_ids": "input_ids" if names[0].startswith(("keras_tensor", "input_layer")) else names[0]}
    if len(names) == 2 and "attention_mask" in names:
        return {"attention_mask" if name == "attention_mask" else "input_ids": name for name in names}
    raise ValueError(
        "A text classifier must have one input of token ids, and at most a second one called attention_mask. "
        f"Received: {names}."
    )


def _check_output(function: Any, labels: Sequence[str]) -> int:
    shapes = [tuple(tensor.shape) for tensor in function.outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise ValueError(f"A text classifier must have one output, [batch, labels]. Received: {shapes}.")
    width = shapes[0][1]
    if width != len(labels) and not (width == 1 and len(labels) == 2):
        raise ValueError(
            f"There must be a label for each of the model's {width} scores (two for a single score). "
            f"Received: {len(labels)} labels."
        )
    return width


def _check_embeddings(function: Any, size: int, padding_id: int) -> None:
    """Every id of the tokenizer must have a row, and padding must be what the model masks."""
    for layer in function._flatten_layers():
        if not isinstance(layer, keras.layers.Embedding) or not _reads_an_input(layer):
            continue
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


def _reads_an_input(layer: Any) -> bool:
    """Whether a layer reads an input of the model that it is in (an embedding of positions does not)."""
    tensors = [tensor for node in layer._inbound_nodes for tensor in node.input_tensors]
    return any(isinstance(tensor._keras_history.operation, keras.layers.InputLayer) for tensor in tensors)


def _padding_matters(model: keras.Model, roles: Sequence[str], length: int, pad: int, size: int) -> tuple[bool, bool]:
    """Whether Keras's answer to a text changes with padding, and with its side.

    Args:
        model: The model.
        roles: The roles of its inputs, in order.
        length: The padded length.
        pad: The padding id.
        size: Ids are below it.
    """
    tokens = [number for number in range(size) if number != pad][-max(1, length // 2) :]
    filler = [pad] * (length - len(tokens))
    right, left = (_answer(model, roles, row, pad) for row in (tokens + filler, filler + tokens))
    fixed = functional_graph(model).inputs[0].shape[1]
    bare = right if fixed else _answer(model, roles, tokens, pad)
    return not _close(bare, right), not _close(left, right)


def _answer(model: keras.Model, roles: Sequence[str], row: list[int], pad: int) -> np.ndarray:
    ids = np.array([row], np.int64)
    return call(model, [ids if role == "input_ids" else (ids != pad).astype(np.int64) for role in roles])


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.allclose(a, b, atol=_TOLERANCE, rtol=0, equal_nan=True))


def _applied(function: Any) -> Activation:
    """What the last layer makes of its scores: probabilities, or nothing."""
    last = _last_activation(function.outputs[0]._keras_history.operation)
    if last is None:
        raise ValueError(
            "The model's last operation does not tell whether its output is logits or probabilities. "
            f"Received: {function.outputs[0]._keras_history.operation.name!r}. "
            "Say what is still to be applied (activation, --activation: softmax, sigmoid or none)."
        )
    return "none" if last == "linear" else last


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

"""The inputs and outputs of a model, by the roles that its task gives them."""

import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from .compiler import functional_graph
from .forms import TaskForm

# What an input can be, in the order of a graph's inputs; the name of one beside the ids is its role.
ROLES = ("input_ids", "attention_mask", "token_type_ids")
_BESIDE = ROLES[1:]
# The same roles inside KerasHub's backbones.
_SEGMENTS = ("token_type_ids", "segment_ids")


def call(model: keras.Model, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Runs the Keras model.

    Args:
        model: The model.
        arrays: One array an input, in the order of its inputs.

    Returns:
        Its outputs as they come, float32, in the order of `functional_graph(model).outputs`.
    """
    function = functional_graph(model)
    typed = [array.astype(tensor.dtype) for array, tensor in zip(arrays, function.inputs, strict=True)]
    feed = keras.tree.pack_sequence_as(function._inputs_struct, typed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "You are using a softmax over axis")  # of one token, whose answer is right
        outputs = keras.tree.flatten(function(feed, training=False))
    return [np.asarray(keras.ops.convert_to_numpy(output), np.float32) for output in outputs]


def read_inputs(function: Any, task: str) -> dict[str, str]:
    """Which input is what.

    Args:
        function: A functional graph.
        task: The task, for the message.

    Returns:
        Role ("input_ids", "attention_mask", "token_type_ids") to the input's name, in the order of the inputs. One
        input is the ids whatever its name; of several, all others must be called by their roles.

    Raises:
        ValueError: An input has no role, or is not [batch, sequence].
    """
    names = [tensor.name for tensor in function.inputs]
    if any(len(tensor.shape) != 2 for tensor in function.inputs):
        raise ValueError(
            f"Inputs of a {task} model must be [batch, sequence]. Received: {[t.shape for t in function.inputs]}."
        )
    if len(names) == 1:
        # A name that Keras made up is nobody's: then the one that every client of text models knows.
        return {"input_ids": "input_ids" if names[0].startswith(("keras_tensor", "input_layer")) else names[0]}
    ids = [name for name in names if name not in _BESIDE]
    if len(ids) != 1:
        raise ValueError(
            f"A {task} model must have one input of token ids, and others only where they are called "
            f"{' or '.join(_BESIDE)}. Received: {names}."
        )
    return {name if name in _BESIDE else "input_ids": name for name in names}


def read_outputs(function: Any, form: TaskForm, task: str, sizes: dict[str, int | None]) -> tuple[str, ...]:
    """Which output is what.

    Args:
        function: A functional graph.
        form: The form of its task.
        task: The task, for the message.
        sizes: What an axis of the form must measure, where that is known: "labels", at least: "vocabulary".

    Returns:
        The form's name of each output, in the order of the outputs.

    Raises:
        ValueError: The outputs are not the form's: their number, names, ranks or sizes.
    """
    shapes = [tuple(tensor.shape) for tensor in function.outputs]
    keys = _keys(function)
    names = tuple(form.outputs)[: len(shapes)] if keys is None else tuple(keys)
    wanted = ", ".join(f"{name} [{', '.join(axes)}]" for name, axes in form.outputs.items())
    ranks = {name: len(shape) for name, shape in zip(names, shapes, strict=False)}
    if len(names) != len(shapes) or ranks != {name: len(axes) for name, axes in form.outputs.items()}:
        own = keys or [tensor._keras_history.operation.name for tensor in function.outputs]
        received = ", ".join(f"{name} {list(shape)}" for name, shape in zip(own, shapes, strict=True))
        noun = "one output" if len(form.outputs) == 1 else f"{len(form.outputs)} outputs"
        raise ValueError(
            f"A {task} model must have {noun}, {wanted}, by these names (a dict) or in this order. "
            f"Received: {received}."
        )
    for name, shape in zip(names, shapes, strict=True):
        _check_sizes(name, dict(zip(form.outputs[name], shape, strict=True)), sizes)
    return names


def _keys(function: Any) -> list[str] | None:
    """The keys of a dict of outputs, in the order that Keras flattens it to; None where the outputs are no dict."""
    struct = function._outputs_struct
    if not isinstance(struct, dict):
        return None
    places = keras.tree.pack_sequence_as(struct, list(range(len(function.outputs))))
    return sorted(places, key=places.__getitem__)


def _check_sizes(name: str, axes: dict[str, int | None], sizes: dict[str, int | None]) -> None:
    labels, vocabulary = sizes.get("labels"), sizes.get("vocabulary")
    width = axes.get("labels")
    if "labels" in axes and width != labels and not (width == 1 and labels == 2 and "sequence" not in axes):
        raise ValueError(
            f"There must be a label for each of the model's {width} scores (two for a single score). "
            f"Received: {labels} labels."
        )
    words = axes.get("vocabulary")
    if vocabulary is not None and words is not None and words < vocabulary:
        raise ValueError(
            f"The output {name} must have a score for each of the tokenizer's {vocabulary} ids. Received: {words} "
            "scores. Give the tokenizer that the model was trained with."
        )


def id_embeddings(function: Any) -> list[Any]:
    """The layers inside a model that look token ids up, each with `input_dim` rows."""
    found = []
    for layer in function._flatten_layers():
        if isinstance(layer, keras.layers.Embedding) and _reads_ids(layer):
            found.append(layer)
        found += [layer.token_embedding] if type(layer).__name__ == "TokenAndPositionEmbedding" else []
    return found


def _reads_ids(layer: Any) -> bool:
    """Whether a layer reads token ids of the model that it is in: positions are no input, segments another one."""
    tensors = [_origin(tensor) for node in layer._inbound_nodes for tensor in node.input_tensors]
    return any(
        isinstance(tensor._keras_history.operation, keras.layers.InputLayer) and tensor.name not in _SEGMENTS
        for tensor in tensors
    )


def _origin(tensor: Any) -> Any:
    """What a tensor is a mere copy of: a model that was loaded converts its inputs."""
    history = tensor._keras_history
    while type(history.operation).__name__ in ("Cast", "ConvertToTensor"):
        (tensor,) = history.operation._inbound_nodes[history.node_index].input_tensors
        history = tensor._keras_history
    return tensor


def positions(function: Any) -> int | None:
    """Most tokens that the model has positions for; None where it has no table of positions."""
    tables = [layer for layer in function._flatten_layers() if type(layer).__name__ == "PositionEmbedding"]
    return min((layer.sequence_length for layer in tables), default=None)

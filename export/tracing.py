"""What a layer's `call` is made of, found by calling it on symbolic tensors."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import keras
import keras.src.backend  # where Keras's own layers look their functions up
import keras.src.ops
import keras.src.ops.nn
import numpy as np

from .sizes import sizes_known_later

Tensors = Sequence[keras.KerasTensor]


@dataclass(frozen=True)
class Traced:
    """A part of Keras's symbolic graph.

    What a `keras.Function` is, which refuses layers of the same name, as those inside two equal layers have.
    """

    inputs: Tensors
    """Where the part begins."""
    outputs: Tensors
    """Where it ends."""
    calls: Sequence[Any]
    """The nodes between, in an order that can be executed: each one call of one operation."""


def between(inputs: Tensors, outputs: Tensors) -> Traced:
    """The part of the symbolic graph that makes `outputs` of `inputs`.

    Raises:
        ValueError: An output needs another input.
    """
    calls: dict[int, Any] = {}
    known = {id(tensor) for tensor in inputs}
    waiting = list(reversed(outputs))
    while waiting:
        tensor = waiting[-1]
        if id(tensor) in known:
            waiting.pop()
            continue
        history = tensor._keras_history
        call = history.operation and history.operation._inbound_nodes[history.node_index]
        if call is None or call.is_input:
            raise ValueError(f"The tensor {tensor.name!r} does not follow from the inputs.")
        missing = [item for item in call.input_tensors if id(item) not in known]
        if missing:
            waiting.extend(reversed(missing))
        else:
            calls[id(call)] = call
            known.update(map(id, call.outputs))
    return Traced(inputs, outputs, list(calls.values()))


def mask_of(tensor: Any) -> Any:
    """The mask that rides on a tensor, or None."""
    return getattr(tensor, "_keras_mask", None)


def trace(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Traced, Any] | None:
    """What a layer's `call` is made of.

    Returns:
        Its graph, from the tensors that the layer gets and their masks to the layer's outputs and after them the
        masks that they carry; and the outputs in the layer's own structure. None where `call` cannot be traced, or
        draws random numbers, which would be frozen.
    """
    tensors = [item for item in keras.tree.flatten((args, kwargs)) if isinstance(item, keras.KerasTensor)]
    masks = [mask_of(tensor) for tensor in tensors]
    inputs = list({id(item): item for item in [*tensors, *masks] if item is not None}.values())

    def once() -> tuple[Traced, Any]:
        for tensor, mask in zip(tensors, masks, strict=True):
            tensor._keras_mask = mask  # MultiHeadAttention takes it away
        with _quiet(), _symbolic_arithmetic(), sizes_known_later():
            outputs = layer.call(*args, **kwargs)
        flat = keras.tree.flatten(outputs)
        shown = [mask_of(tensor) for tensor in flat]
        return between(inputs, [*flat, *(mask for mask in shown if mask is not None)]), outputs

    try:
        inside, outputs = once()
        constants = _constants(inside)
        if constants and not all(map(np.array_equal, constants, _constants(once()[0]))):
            return None
    except Exception:  # whatever a `call` raises on symbolic tensors: there is another road
        return None
    return inside, outputs


def _constants(traced: Traced) -> list[np.ndarray]:
    """The tensors that a graph was traced with, in order."""
    arguments = keras.tree.flatten([(call.arguments.args, call.arguments.kwargs) for call in traced.calls])
    return [np.asarray(item) for item in arguments if keras.ops.is_tensor(item)]


def unless_the_same(function: Any, x: keras.KerasTensor, dtype: str | None = None, **_: Any) -> Any:
    """Casts a symbolic tensor, or hands back the tensor itself, and with it its mask, where Keras does at run time."""
    if dtype is None or keras.backend.standardize_dtype(dtype) == x.dtype:
        return x
    return function(x, dtype)


@contextmanager
def _symbolic_arithmetic() -> Iterator[None]:
    """Lets a Variable stand on the left of a symbolic tensor (`self.scale * x`), and such a tensor be converted."""
    operators = {
        "__add__": keras.ops.add,
        "__sub__": keras.ops.subtract,
        "__mul__": keras.ops.multiply,
        "__truediv__": keras.ops.true_divide,
        "__matmul__": keras.ops.matmul,
        "__pow__": keras.ops.power,
    }
    conversion = partial(unless_the_same, keras.ops.cast)
    modules = (keras.ops, keras.src.ops)
    places = [
        *((keras.Variable, name, function) for name, function in operators.items()),
        *((module, name, conversion) for module in modules for name in ("cast", "convert_to_tensor")),
        (keras.src.backend, "convert_to_tensor", conversion),
    ]

    def patched(place: Any, name: str, symbolic: Any) -> Any:
        original = getattr(place, name)

        def either(*args: Any, **kwargs: Any) -> Any:
            is_symbolic = any(isinstance(item, keras.KerasTensor) for item in args)
            return symbolic(*args, **kwargs) if is_symbolic else original(*args, **kwargs)

        return either

    with ExitStack() as stack:
        for place, name, function in places:
            stack.enter_context(mock.patch.object(place, name, patched(place, name, function)))
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Keras has said once, when the model was built, what there is to warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def grouped_convolutions() -> Any:
    """A context in which Keras does not take a symbolic convolution's groups for an error, as 3.15 does."""
    return mock.patch.object(keras.src.ops.nn, "check_conv_input_channels", create=True)

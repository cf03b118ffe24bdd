"""Which function lowers which Keras operation.

A lowering takes the graph, the Keras operation, and the operation's own call arguments with tensors replaced by ONNX
values (`training` left out), and returns the value or values that stand for the operation's outputs.
"""

import inspect
from collections.abc import Callable
from typing import Any

import keras

Lowering = Callable[..., Any]
Condition = Callable[[Any, dict[str, Any]], bool]

_LOWERINGS: dict[type | str, tuple[Lowering, Condition | None]] = {}
# KerasHub takes seconds to import, so its layers go by the names that they are saved under.
_KERAS_HUB = "keras_hub>"


class NotLoweredError(Exception):
    """Raised by a lowering for a call that it has no exact ONNX form for: the call goes through tf2onnx instead."""


def lowers(*keys: type | str, when: Condition | None = None) -> Callable[[Lowering], Lowering]:
    """Registers a lowering.

    Args:
        *keys: Layer classes, names that KerasHub's layers are saved under ("keras_hub>PositionEmbedding"), or names of
            `keras.ops` operation classes ("NotEqual", "GetItem"), which Keras does not export as classes.
        when: Of a layer and the arguments of its `call` by name, whether this is a call that the lowering is for. Any
            other call is replaced by what it is made of, as where there is no lowering.
    """

    def register(function: Lowering) -> Lowering:
        for key in keys:
            _LOWERINGS[key] = function, when
        return function

    return register


def lowering_of(operation: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Lowering | None:
    """The lowering of exactly this operation's class and of such a call, or None.

    A subclass does not inherit its parent's lowering: its `call` may compute something else.
    """
    cls = type(operation)
    if isinstance(operation, keras.layers.Layer) or not cls.__module__.startswith("keras."):
        lowering, when = _LOWERINGS.get(cls) or _LOWERINGS.get(_saved_name(cls)) or (None, None)
    else:
        lowering, when = _LOWERINGS.get(cls.__name__, (None, None))
    if when is not None and not when(operation, _arguments(operation, args, kwargs or {})):
        return None
    return lowering


def _saved_name(cls: type) -> str:
    name = keras.saving.get_registered_name(cls)
    return name if name.startswith(_KERAS_HUB) else ""


def _arguments(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    bound = inspect.signature(operation.call).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments

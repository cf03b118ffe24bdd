"""Which function lowers which Keras operation.

A lowering takes the graph, the Keras operation, and the operation's own call arguments with tensors replaced by ONNX
values (`training` left out), and returns the value or values that stand for the operation's outputs.
"""

from collections.abc import Callable
from typing import Any

import keras

Lowering = Callable[..., Any]

_LOWERINGS: dict[type | str, Lowering] = {}


class NotLoweredError(Exception):
    """Raised by a lowering for a call that it has no exact ONNX form for: the call goes through tf2onnx instead."""


def lowers(*keys: type | str) -> Callable[[Lowering], Lowering]:
    """Registers a lowering.

    Args:
        *keys: Layer classes, or names of `keras.ops` operation classes ("NotEqual", "GetItem"), which Keras does not
            export as classes.
    """

    def register(function: Lowering) -> Lowering:
        for key in keys:
            _LOWERINGS[key] = function
        return function

    return register


def lowering_of(operation: Any) -> Lowering | None:
    """The lowering of exactly this operation's class, or None.

    A subclass does not inherit its parent's lowering: its `call` may compute something else.
    """
    cls = type(operation)
    if isinstance(operation, keras.layers.Layer) or not cls.__module__.startswith("keras."):
        return _LOWERINGS.get(cls)
    return _LOWERINGS.get(cls.__name__)

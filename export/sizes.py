"""Sizes that are known at run time only, as values of Keras's symbolic graph.

`keras.ops.shape` of a symbolic tensor says None for such a size, so a layer's `call` that computes with one ("as many
ones as the sequence is long") cannot be traced. Inside `sizes_known_later`, the size is an int32 scalar of the graph
instead, as it is at run time, and the functions that take sizes take it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import keras
import keras.src.ops  # where Keras's own layers look their functions up

_MODULES = (keras.ops, keras.src.ops)
_ORIGINAL: dict[str, Callable[..., Any]] = {
    name: getattr(keras.ops, name) for name in ("shape", "reshape", "broadcast_to", "ones", "zeros", "arange")
}


class SizeOf(keras.Operation):
    """The size of one axis: any tensor -> int32 []."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def call(self, x: Any) -> Any:
        """At run time."""
        return keras.ops.shape(x)[self.axis]

    def compute_output_spec(self, x: Any) -> keras.KerasTensor:
        """One number."""
        return keras.KerasTensor((), "int32")


class _Shaped(keras.Operation):
    """An operation that takes a shape: integers in `shape`, with None where one of the call's `sizes` goes."""

    def __init__(self, shape: Sequence[int | None]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def compute_output_spec(self, x: Any, *sizes: Any) -> keras.KerasTensor:
        """The known sizes are known."""
        static = tuple(size if size is not None and size > 0 else None for size in self.shape)
        return keras.KerasTensor(static, x.dtype)


class ReshapeTo(_Shaped):
    """x -> `shape`, in which 0 copies the size of x's axis of the same index and -1 is what is left."""


class ExpandTo(_Shaped):
    """x, broadcast -> `shape`."""


class Range(keras.Operation):
    """start, stop, step -> the numbers from start to below stop, [count]."""

    def __init__(self, dtype: str) -> None:
        super().__init__()
        self.dtype = dtype

    def compute_output_spec(self, start: Any, stop: Any, step: Any) -> keras.KerasTensor:
        """As many as it takes."""
        return keras.KerasTensor((None,), self.dtype)


@contextmanager
def sizes_known_later() -> Iterator[None]:
    """Makes `keras.ops` count with sizes that are not known yet."""
    replacements = {
        "shape": _shape,
        "reshape": _reshape,
        "broadcast_to": _broadcast_to,
        "ones": lambda shape, dtype=None: _full("ones", shape, dtype),
        "zeros": lambda shape, dtype=None: _full("zeros", shape, dtype),
        "arange": _arange,
    }
    with ExitStack() as stack:
        for module in _MODULES:
            for name, function in replacements.items():
                stack.enter_context(mock.patch.object(module, name, function))
        yield


def _shape(x: Any) -> Any:
    sizes = _ORIGINAL["shape"](x)
    if not isinstance(x, keras.KerasTensor):
        return sizes
    return tuple(SizeOf(axis)(x) if size is None else size for axis, size in enumerate(sizes))


def _is_later(size: Any) -> bool:
    return isinstance(size, keras.KerasTensor)


def _split(shape: Any) -> tuple[list[int | None], list[keras.KerasTensor]] | None:
    """A shape as `_Shaped` wants it, or None if all of it is known."""
    if not isinstance(shape, (tuple, list)) or not any(map(_is_later, shape)):
        return None
    return [None if _is_later(size) else int(size) for size in shape], list(filter(_is_later, shape))


def _reshape(x: Any, newshape: Any) -> Any:
    split = _split(newshape)
    if split is None:
        return _ORIGINAL["reshape"](x, newshape)
    fixed, _ = split
    for axis, size in enumerate(newshape):
        if _is_later(size) and _is_size_of(size, x, axis):
            fixed[axis] = 0
    later = [size for size, known in zip(newshape, fixed, strict=True) if known is None]
    if len(later) == 1 and -1 not in fixed:
        fixed[fixed.index(None)], later = -1, []
    return ReshapeTo(fixed)(x, *later)


def _is_size_of(size: keras.KerasTensor, x: Any, axis: int) -> bool:
    history = size._keras_history
    if not isinstance(history.operation, SizeOf) or history.operation.axis != axis:
        return False
    return history.operation._inbound_nodes[history.node_index].input_tensors[0] is x


def _broadcast_to(x: Any, shape: Any) -> Any:
    split = _split(shape)
    return _ORIGINAL["broadcast_to"](x, shape) if split is None else ExpandTo(split[0])(x, *split[1])


def _full(name: str, shape: Any, dtype: str | None) -> Any:
    split = _split(shape)
    if split is None:
        return _ORIGINAL[name](shape, dtype=dtype)
    return ExpandTo(split[0])(_ORIGINAL[name]((), dtype=dtype), *split[1])


def _arange(start: Any, stop: Any = None, step: Any = None, dtype: str | None = None) -> Any:
    if not any(map(_is_later, (start, stop, step))):
        return _ORIGINAL["arange"](start, stop, step, dtype)
    if stop is None:
        start, stop = 0, start
    return Range(dtype or "int32")(start, stop, 1 if step is None else step)

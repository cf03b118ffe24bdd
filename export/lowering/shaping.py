"""Other arrangements of the same values: reshape, transpose, join, split, repeat, pad."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph import Graph, dimensions, keras_dtype
from ..sizes import ExpandTo, Range, ReshapeTo, SizeOf
from .promotion import as_dtype, cast, promoted
from .registry import NotLoweredError, lowers


@lowers("Reshape")
def reshape(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> `newshape`; sizes that were not known when it was traced must leave no doubt."""
    sizes = [size if isinstance(size, int | np.integer) else None for size in operation.newshape]
    if sizes.count(None) == 1 and -1 not in sizes:
        sizes[sizes.index(None)] = -1
    elif None in sizes:
        raise NotLoweredError("several sizes known at run time only")
    return graph.op("Reshape", x, np.array(sizes, np.int64), allowzero=1 if 0 in sizes else None)


@lowers("Ravel")
def ravel(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> [size]."""
    return graph.op("Reshape", x, np.array([-1]))


@lowers(SizeOf)
def size_of(graph: Graph, operation: SizeOf, x: ir.Value) -> ir.Value:
    """x [...] -> int32 [], the size of one axis."""
    size = graph.op("Shape", x, start=operation.axis, end=operation.axis + 1)
    return graph.op("Cast", graph.op("Squeeze", size, np.array([0])), to=ir.DataType.INT32)


@lowers(ReshapeTo)
def reshape_to(graph: Graph, operation: ReshapeTo, x: ir.Value, *sizes: ir.Value) -> ir.Value:
    """x [...] -> a shape with sizes known at run time."""
    return graph.op("Reshape", x, _shape(graph, operation.shape, sizes))


@lowers(ExpandTo)
def expand_to(graph: Graph, operation: ExpandTo, x: Any, *sizes: ir.Value) -> ir.Value:
    """x, broadcast -> a shape with sizes known at run time."""
    return graph.op("Expand", x, _shape(graph, operation.shape, sizes))


@lowers(Range)
def number_range(graph: Graph, operation: Range, *limits: Any) -> ir.Value:
    """start, stop, step -> [count]."""
    return graph.op("Range", *(as_dtype(graph, limit, operation.dtype) for limit in limits))


def _shape(graph: Graph, shape: Sequence[int | None], sizes: Sequence[ir.Value]) -> ir.Value:
    """int64 [rank]: the known sizes, and int32 [] values in the places of None."""
    if not sizes:
        return graph.constant(np.array(shape, np.int64))
    later = iter(sizes)
    parts = [
        np.array([size]) if size is not None else graph.op("Reshape", cast(graph, next(later), "int64"), np.array([1]))
        for size in shape
    ]
    return graph.op("Concat", *parts, axis=0)


@lowers("Transpose")
def transpose(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> its axes in another order, backwards by default."""
    axes = operation.axes
    rank = len(dimensions(x))
    return graph.op("Transpose", x, perm=None if axes is None else [int(axis) % rank for axis in axes])


@lowers("Swapaxes", "Moveaxis")
def move_axes(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> two axes exchanged, or some axes put elsewhere."""
    labels = np.empty(range(2, 2 + len(dimensions(x))))  # sizes that tell the axes apart
    if type(operation).__name__ == "Swapaxes":
        moved = np.swapaxes(labels, operation.axis1, operation.axis2)
    else:
        moved = np.moveaxis(labels, operation.source, operation.destination)
    return graph.op("Transpose", x, perm=[size - 2 for size in moved.shape])


@lowers("ExpandDims")
def expand_dims(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> with axes of size 1 put in."""
    return graph.op("Unsqueeze", x, np.atleast_1d(np.asarray(operation.axis, np.int64)))


@lowers("Squeeze")
def squeeze(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> without axes of size 1."""
    axes = operation.axis
    if axes is None:
        if None in dimensions(x):
            raise NotLoweredError("which sizes are 1 is known at run time only")
        axes = [axis for axis, size in enumerate(dimensions(x)) if size == 1]
    return graph.op("Squeeze", x, np.atleast_1d(np.asarray(axes, np.int64)))


@lowers("Concatenate")
def concatenate(graph: Graph, operation: Any, xs: Sequence[Any]) -> ir.Value:
    """Tensors [...] -> one, end to end along `axis`."""
    if operation.axis is None:
        raise NotLoweredError("no axis")
    return graph.op("Concat", *promoted(graph, *xs), axis=operation.axis)


@lowers("Stack")
def stack(graph: Graph, operation: Any, x: Sequence[Any]) -> ir.Value:
    """Tensors of one shape -> one, with a new axis."""
    axis = np.array([operation.axis])
    return graph.op("Concat", *(graph.op("Unsqueeze", y, axis) for y in promoted(graph, *x)), axis=operation.axis)


@lowers("Split")
def split(graph: Graph, operation: Any, x: ir.Value) -> tuple[ir.Value, ...]:
    """x [...] -> equal parts, or parts between the given places, along `axis`."""
    parts, size = operation.indices_or_sections, dimensions(x)[operation.axis]
    if size is None:
        raise NotLoweredError("a size known at run time only")
    edges = list(range(0, size + 1, size // parts)) if isinstance(parts, int) else [0, *map(int, parts), size]
    sizes = np.diff(edges)
    if (sizes < 0).any():
        raise NotLoweredError("places out of order")
    values = graph.op("Split", x, sizes, axis=operation.axis, outputs=len(sizes))
    return values if len(sizes) > 1 else (values,)


@lowers("Unstack")
def unstack(graph: Graph, operation: Any, x: ir.Value) -> list[ir.Value]:
    """x [...] -> a tensor for each index of `axis`."""
    count = operation.num or dimensions(x)[operation.axis]
    if count is None:
        raise NotLoweredError("a size known at run time only")
    return [graph.op("Gather", x, graph.constant(index, "int64"), axis=operation.axis) for index in range(count)]


@lowers("Tile")
def tile(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> side by side with itself, `repeats` times an axis."""
    repeats = [operation.repeats] if isinstance(operation.repeats, int) else [int(count) for count in operation.repeats]
    rank = len(dimensions(x))
    if len(repeats) > rank:
        x = graph.op("Unsqueeze", x, np.arange(len(repeats) - rank))
    return graph.op("Tile", x, np.array([1] * (rank - len(repeats)) + repeats, np.int64))


@lowers("Repeat")
def repeat(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> each index of `axis` several times, by gathering it as often."""
    axis, size = operation.axis, None if operation.axis is None else dimensions(x)[operation.axis]
    if axis is None:
        x, axis = graph.op("Reshape", x, np.array([-1])), 0
    if size is not None:
        return graph.op("Gather", x, np.repeat(np.arange(size), operation.repeats), axis=axis)
    if not isinstance(operation.repeats, int):
        raise NotLoweredError("as many repeats as there are indices, where that is known at run time only")
    positive = axis if axis >= 0 else axis + len(dimensions(x))
    size = graph.op("Squeeze", graph.op("Shape", x, start=positive, end=positive + 1), np.array([0]))
    repeats = graph.constant(operation.repeats, "int64")
    count = graph.op("Range", graph.constant(0), graph.op("Mul", size, repeats), graph.constant(1))
    return graph.op("Gather", x, graph.op("Div", count, repeats), axis=axis)


@lowers("Pad")
def pad(graph: Graph, operation: Any, x: ir.Value, constant_values: Any = None) -> ir.Value:
    """x [...] -> with (before, after) more an axis: a constant, or x reflected."""
    mode = operation.mode
    if mode not in ("constant", "reflect") or isinstance(constant_values, ir.Value):
        raise NotLoweredError("a padding that ONNX does not have")
    widths = np.asarray(operation.pad_width, np.int64)
    widths = np.broadcast_to(widths, (len(dimensions(x)), 2))
    fill = graph.constant(constant_values or 0, keras_dtype(x)) if mode == "constant" else None
    return graph.op("Pad", x, widths.T.reshape(-1), *([] if fill is None else [fill]), mode=mode)


@lowers("Flip")
def flip(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> backwards along `axis` (None: along all)."""
    axes = np.arange(len(dimensions(x))) if operation.axis is None else np.atleast_1d(operation.axis).astype(np.int64)
    limits = np.iinfo(np.int64)
    return graph.op("Slice", x, np.full(axes.size, -1), np.full(axes.size, limits.min), axes, np.full(axes.size, -1))


@lowers("Roll")
def roll(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> moved along one axis by `shift`, what falls out coming in at the other end."""
    axis = operation.axis
    size = dimensions(x)[axis] if isinstance(axis, int) else None
    if size is None or not isinstance(operation.shift, int):
        raise NotLoweredError("several axes, or a size known at run time only")
    return graph.op("Gather", x, np.roll(np.arange(size), operation.shift), axis=axis)


@lowers("BroadcastTo")
def broadcast_to(graph: Graph, operation: Any, x: Any) -> ir.Value:
    """x [...] -> `shape`."""
    if not all(isinstance(size, int) for size in operation.shape):
        raise NotLoweredError("sizes known at run time only")
    return graph.op("Expand", x, np.array(operation.shape, np.int64))


@lowers("ZerosLike", "OnesLike", "FullLike")
def full_like(graph: Graph, operation: Any, x: ir.Value, fill_value: Any = None) -> ir.Value:
    """x [...] -> one value in its shape."""
    if fill_value is None:
        fill_value = int(type(operation).__name__ == "OnesLike")
    fill = as_dtype(graph, fill_value, operation.dtype or keras_dtype(x))
    return graph.op("Expand", fill, graph.op("Shape", x))


@lowers("Tril", "Triu")
def triangle(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [..., rows, columns] -> zeros above, or below, its k-th diagonal."""
    upper = int(type(operation).__name__ == "Triu")
    return graph.op("Trilu", x, graph.constant(operation.k, "int64"), upper=upper)

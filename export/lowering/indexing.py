"""Parts of tensors: slices, gathers, one-hot."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph import Graph, dimensions, keras_dtype, onnx_dtype
from .registry import NotLoweredError, lowers

_FAR = np.iinfo(np.int64).max


@lowers("GetItem")
def get_item(graph: Graph, operation: Any, x: ir.Value, key: Any) -> ir.Value:
    """x[key] with integers, slices, None and Ellipsis: one Slice, then Squeeze and Unsqueeze."""
    keys = list(key) if isinstance(key, tuple | list) else [key]
    if not all(k is None or k is Ellipsis or isinstance(k, slice | int | np.integer) for k in keys):
        raise NotLoweredError("an index that is a tensor")
    slices, squeezed, new = _by_axis(keys, len(dimensions(x)))
    if slices:
        axes = list(slices)
        starts, ends, steps = (np.array(column, np.int64) for column in zip(*slices.values(), strict=True))
        x = graph.op("Slice", x, starts, ends, np.array(axes), steps)
    if squeezed:
        x = graph.op("Squeeze", x, np.array(squeezed))
    return graph.op("Unsqueeze", x, np.array(new)) if new else x


def _by_axis(keys: list[Any], rank: int) -> tuple[dict[int, tuple[int, int, int]], list[int], list[int]]:
    """(start, end, step) by sliced axis, the axes that an integer takes away, the places of new axes."""
    spelled = sum(k is not None and k is not Ellipsis for k in keys)
    if Ellipsis not in [k for k in keys if not isinstance(k, slice)]:
        keys = [*keys, Ellipsis]
    slices: dict[int, tuple[int, int, int]] = {}
    squeezed: list[int] = []
    new: list[int] = []
    axis = 0
    for k in keys:
        if k is None:
            new.append(axis - len(squeezed) + len(new))
        elif k is Ellipsis:
            axis += rank - spelled
        else:
            if isinstance(k, slice):
                limits = _limits(k)
                if limits != (0, _FAR, 1):
                    slices[axis] = limits
            else:
                slices[axis] = (int(k), int(k) + 1 if k != -1 else _FAR, 1)
                squeezed.append(axis)
            axis += 1
    return slices, squeezed, new


def _limits(part: slice) -> tuple[int, int, int]:
    if not all(limit is None or isinstance(limit, int | np.integer) for limit in (part.start, part.stop, part.step)):
        raise NotLoweredError("a limit known at run time only")
    step = 1 if part.step is None else int(part.step)
    start = (0 if step > 0 else _FAR) if part.start is None else int(part.start)
    stop = (_FAR if step > 0 else -_FAR) if part.stop is None else int(part.stop)
    return start, stop, step


@lowers("Take")
def take(graph: Graph, operation: Any, x: ir.Value, indices: Any) -> ir.Value:
    """x [..., size, ...], indices int [...] (negative ones from the end) -> x's rows along `axis`."""
    axis = operation.axis
    if axis is None:
        x, axis = graph.op("Reshape", x, np.array([-1])), 0
    if isinstance(indices, ir.Value):
        indices = _as_index(graph, indices)
    return graph.op("Gather", x, indices, axis=axis)


@lowers("TakeAlongAxis")
def take_along_axis(graph: Graph, operation: Any, x: ir.Value, indices: ir.Value) -> ir.Value:
    """x [...], indices int of the same rank and, but for `axis`, the same sizes -> as indices."""
    axis, sizes, wanted = operation.axis, list(dimensions(x)), list(dimensions(indices))
    if axis is None or len(sizes) != len(wanted):
        raise NotLoweredError("tensors of different rank")
    del sizes[axis], wanted[axis]
    if sizes != wanted and any(1 in pair for pair in zip(sizes, wanted, strict=True)):
        raise NotLoweredError("indices that are broadcast")
    return graph.op("GatherElements", x, _as_index(graph, indices), axis=axis)


def _as_index(graph: Graph, indices: ir.Value) -> ir.Value:
    return indices if keras_dtype(indices) in ("int32", "int64") else graph.op("Cast", indices, to=ir.DataType.INT64)


@lowers("OneHot")
def one_hot(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x int [...] -> [..., classes] with 1 at x and 0 elsewhere; a row of 0 where x is no class.

    A comparison, since OneHot counts negative indices from the end.
    """
    rank = len(dimensions(x)) + 1
    axis = operation.axis % rank
    classes = np.arange(operation.num_classes, dtype=keras_dtype(x))
    classes = classes.reshape([-1 if index == axis else 1 for index in range(rank)])
    same = graph.op("Equal", graph.op("Unsqueeze", x, np.array([axis])), classes)
    return graph.op("Cast", same, to=onnx_dtype(operation.dtype or "float32"))

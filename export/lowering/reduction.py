"""Reductions: an axis, several, or all of them become one number."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph import Graph, dimensions, keras_dtype
from .promotion import cast, floating
from .registry import NotLoweredError, lowers

_KEPT = {"Max": "ReduceMax", "Amax": "ReduceMax", "Min": "ReduceMin", "Amin": "ReduceMin"}
_REAL = {"Mean": "ReduceMean", "Logsumexp": "ReduceLogSumExp"}
# What a sum or product of a small type is counted in.
_WIDER = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}


def axes_of(axis: int | tuple[int, ...] | list[int] | None, x: ir.Value) -> np.ndarray:
    """A Keras `axis` as ONNX axes, int64 [axes]: None is all of them."""
    if axis is None:
        return np.arange(len(dimensions(x)))
    return np.atleast_1d(np.asarray(axis, np.int64))


def reduce(graph: Graph, operator: str, x: ir.Value, axis: Any, keepdims: bool) -> ir.Value:
    """x [...] -> without `axis`, or with size 1 there."""
    axes = axes_of(axis, x)
    return graph.op(operator, x, axes, keepdims=int(keepdims)) if axes.size else graph.op("Identity", x)


@lowers(*_KEPT)
def extreme(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """The largest or smallest, of x's type."""
    if getattr(operation, "initial", None) is not None or keras_dtype(x) == "bool":
        raise NotLoweredError("an initial value, or booleans")
    return reduce(graph, _KEPT[type(operation).__name__], x, operation.axis, operation.keepdims)


@lowers(*_REAL)
def real_reduction(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """The mean, or the logarithm of the sum of exponentials."""
    return reduce(graph, _REAL[type(operation).__name__], floating(graph, x), operation.axis, operation.keepdims)


@lowers("Sum", "Prod")
def total(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """The sum or product; small integers and booleans are counted in 32 bits."""
    dtype = getattr(operation, "dtype", None) or _WIDER.get(keras_dtype(x), keras_dtype(x))
    operator = f"Reduce{type(operation).__name__}"
    return reduce(graph, operator, cast(graph, x, dtype), operation.axis, operation.keepdims)


@lowers("Any", "All")
def truth(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """Whether any or all are not 0: bool."""
    operator = "ReduceMax" if type(operation).__name__ == "Any" else "ReduceMin"
    number = cast(graph, cast(graph, x, "bool"), "int32")
    return graph.op("Cast", reduce(graph, operator, number, operation.axis, operation.keepdims), to=ir.DataType.BOOL)


@lowers("CountNonzero")
def count_nonzero(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """How many are not 0: int32."""
    return reduce(graph, "ReduceSum", cast(graph, cast(graph, x, "bool"), "int32"), operation.axis, False)


@lowers("Var", "Std")
def spread(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """The mean squared distance from the mean (not corrected), or its root."""
    variance = variance_of(graph, floating(graph, x), operation.axis, operation.keepdims)
    return graph.op("Sqrt", variance) if type(operation).__name__ == "Std" else variance


def variance_of(graph: Graph, x: ir.Value, axis: Any, keepdims: bool) -> ir.Value:
    """x real [...] -> the mean squared distance from its mean over `axis`."""
    distance = graph.op("Sub", x, reduce(graph, "ReduceMean", x, axis, keepdims=True))
    squares = graph.describe(graph.op("Mul", distance, distance), dimensions(x), keras_dtype(x))
    return reduce(graph, "ReduceMean", squares, axis, keepdims)


@lowers("Argmax", "Argmin")
def extreme_index(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """The index of the largest or smallest: int32, the first of equals.

    Keras on TensorFlow tells -0.0 from 0.0 here; to ONNX they are equal.
    """
    operator = {"Argmax": "ArgMax", "Argmin": "ArgMin"}[type(operation).__name__]
    x = cast(graph, x, "int32") if keras_dtype(x) == "bool" else x
    rank, axis = len(dimensions(x)), operation.axis
    if axis is None:
        x, axis = graph.op("Reshape", x, np.array([-1])), 0
    index = graph.op(operator, x, axis=int(axis), keepdims=int(operation.keepdims))
    if operation.axis is None and operation.keepdims:
        index = graph.op("Reshape", index, np.ones(rank, np.int64))
    return graph.op("Cast", index, to=ir.DataType.INT32)


@lowers("Norm")
def norm(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """The length (order 2) of the vectors along `axis`."""
    axes = axes_of(operation.axis, x)
    if not (operation.ord is None or (operation.ord == 2 and axes.size == 1)):
        raise NotLoweredError("norms of another order")
    return reduce(graph, "ReduceL2", floating(graph, x), operation.axis, operation.keepdims)


@lowers("Cumsum")
def cumsum(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """The sums so far along `axis` (None: of x as one row); booleans are counted in int32."""
    x = cast(graph, x, operation.dtype or ("int32" if keras_dtype(x) == "bool" else keras_dtype(x)))
    if keras_dtype(x) not in ("int32", "int64", "float32", "float64"):
        raise NotLoweredError("a type that CumSum does not take")
    axis = operation.axis
    if axis is None:
        x, axis = graph.op("Reshape", x, np.array([-1])), 0
    return graph.op("CumSum", x, graph.constant(axis, "int64"))


@lowers("TopK")
def top_k(graph: Graph, operation: Any, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The k largest of the last axis, largest first, and their int32 indices; the first of equals first."""
    values, indices = graph.op("TopK", x, np.array([operation.k]), axis=-1, outputs=2)
    return values, graph.op("Cast", indices, to=ir.DataType.INT32)

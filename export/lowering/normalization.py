"""Normalization: by the statistics of each example (layer, RMS) or by those of the training (batch)."""

from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from ..graph import Graph, constant_of, dimensions, keras_dtype
from .promotion import as_dtype, cast, floating
from .reduction import axes_of, reduce, variance_of
from .registry import NotLoweredError, lowers


@lowers("LayerNorm")
def layer_norm(graph: Graph, operation: Any, x: ir.Value, gamma: Any = None, beta: Any = None) -> ir.Value:
    """x [...] -> mean 0 and variance 1 over `axis`, times gamma, plus beta.

    With `rms_scaling`, Keras divides by the standard deviation and takes no mean away. One operator where the axes
    are the last ones.
    """
    x, epsilon = floating(graph, x), _epsilon(operation)
    rank = len(dimensions(x))
    axes = sorted(int(axis) % rank for axis in axes_of(operation.axis, x))
    sizes = [size for axis in axes if (size := dimensions(x)[axis]) is not None]
    if not operation.rms_scaling and axes == list(range(axes[0], rank)) and len(sizes) == len(axes):
        scale = np.ones(sizes, np.float32) if gamma is None else _shaped(graph, gamma, sizes)
        shift = () if beta is None else (_shaped(graph, beta, sizes),)
        return graph.op("LayerNormalization", x, scale, *shift, axis=axes[0] - rank, epsilon=epsilon)
    variance = variance_of(graph, x, axes, keepdims=True)
    deviation = graph.op("Sqrt", graph.op("Add", variance, graph.constant(epsilon, keras_dtype(x))))
    if not operation.rms_scaling:
        x = graph.describe(
            graph.op("Sub", x, reduce(graph, "ReduceMean", x, axes, keepdims=True)), dimensions(x), keras_dtype(x)
        )
    wide = [size or 1 if axis in axes else 1 for axis, size in enumerate(dimensions(x))]
    y = graph.op("Div", x, deviation)
    y = y if gamma is None else graph.op("Mul", y, _shaped(graph, gamma, wide))
    return y if beta is None or operation.rms_scaling else graph.op("Add", y, _shaped(graph, beta, wide))


@lowers("RMSNorm")
def rms_norm(graph: Graph, operation: Any, x: ir.Value, scale: Any = None) -> ir.Value:
    """x [...] -> divided by the root of its mean square over `axis`, times scale."""
    x = floating(graph, x)
    squares = graph.describe(graph.op("Mul", x, x), dimensions(x), keras_dtype(x))
    mean = reduce(graph, "ReduceMean", squares, operation.axis, keepdims=True)
    root = graph.op("Sqrt", graph.op("Add", mean, graph.constant(_epsilon(operation), keras_dtype(x))))
    y = graph.op("Div", x, root)
    return y if scale is None else graph.op("Mul", y, scale)


@lowers("BatchNorm")
def batch_norm(
    graph: Graph, operation: Any, x: ir.Value, mean: Any, variance: Any, offset: Any = None, scale: Any = None
) -> ir.Value:
    """x [...] -> (x - mean) / sqrt(variance + epsilon) * scale + offset along `axis`: one Mul and one Add."""
    if not all(item is None or item.const_value is not None for item in (mean, variance, offset, scale)):
        raise NotLoweredError("statistics that are computed")
    centre, spread, shift, factor = (
        default if item is None else constant_of(item)
        for item, default in ((mean, 0), (variance, 1), (offset, 0), (scale, 1))
    )
    factor = factor / np.sqrt(spread + operation.epsilon)
    shift = shift - centre * factor
    rank = len(dimensions(x))
    shape = [-1 if axis == operation.axis % rank else 1 for axis in range(rank)]
    shape = shape if operation.axis % rank < rank - 1 else [-1]
    y = graph.op("Mul", x, graph.weight("scale", factor.reshape(shape).astype(np.float32)))
    return graph.op("Add", y, graph.weight("shift", shift.reshape(shape).astype(np.float32)))


@lowers("Normalize")
def normalize(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [...] -> of length 1 along `axis`; a length below epsilon counts as epsilon."""
    if operation.order != 2:
        raise NotLoweredError("norms of another order")
    x = floating(graph, x)
    length = reduce(graph, "ReduceL2", x, operation.axis, keepdims=True)
    return graph.op("Div", x, graph.op("Max", length, graph.constant(_epsilon(operation), keras_dtype(x))))


@lowers(keras.layers.Rescaling)
def rescaling(graph: Graph, layer: keras.layers.Rescaling, x: ir.Value) -> ir.Value:
    """x [...] -> x * scale + offset."""
    dtype = "float64" if layer.compute_dtype == "float64" else "float32"
    scale, offset = (as_dtype(graph, item, dtype) for item in (layer.scale, layer.offset))
    return graph.op("Add", graph.op("Mul", cast(graph, x, dtype), scale), offset)


def _epsilon(operation: Any) -> float:
    return keras.config.epsilon() if operation.epsilon is None else float(operation.epsilon)


def _shaped(graph: Graph, parameters: ir.Value, sizes: list[int]) -> ir.Value:
    """Parameters in another shape; known at export, so no work for the runtime."""
    if list(dimensions(parameters)) == sizes:
        return parameters
    if parameters.const_value is None:
        raise NotLoweredError("parameters that are computed")
    return graph.constant(constant_of(parameters).reshape(sizes))

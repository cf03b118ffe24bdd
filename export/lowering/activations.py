"""Activation functions: one operator each where ONNX has it. All of them: x [...] -> [...]."""

from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from ..graph import Graph, keras_dtype
from .promotion import floating
from .registry import NotLoweredError, lowers

_PLAIN = {
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "Selu": "Selu",
    "HardSilu": "HardSwish",
}


@lowers(*_PLAIN)
def plain(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """Functions without parameters that ONNX has."""
    return graph.op(_PLAIN[type(operation).__name__], floating(graph, x))


@lowers("Elu", "Celu")
def elu(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x above 0, alpha * (exp(x) - 1) below; Celu takes exp(x / alpha)."""
    return graph.op(type(operation).__name__, floating(graph, x), alpha=float(operation.alpha))


@lowers("LeakyRelu")
def leaky_relu(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x above 0, slope * x below."""
    return graph.op("LeakyRelu", floating(graph, x), alpha=float(operation.negative_slope))


@lowers("Gelu")
def gelu(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x times the normal distribution function at x, or its approximation by tanh."""
    return graph.op("Gelu", floating(graph, x), approximate="tanh" if operation.approximate else "none")


@lowers("HardSigmoid")
def hard_sigmoid(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x / 6 + 1/2 in 0 to 1."""
    return graph.op("HardSigmoid", floating(graph, x), alpha=1 / 6, beta=0.5)


@lowers("Silu")
def silu(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x * sigmoid(x)."""
    x = floating(graph, x)
    return graph.op("Mul", x, graph.op("Sigmoid", x))


@lowers("LogSigmoid")
def log_sigmoid(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """-softplus(-x)."""
    return graph.op("Neg", graph.op("Softplus", graph.op("Neg", floating(graph, x))))


@lowers("Glu")
def glu(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """The first half of `axis` times the sigmoid of the second."""
    first, second = graph.op("Split", floating(graph, x), axis=operation.axis, num_outputs=2, outputs=2)
    return graph.op("Mul", first, graph.op("Sigmoid", second))


@lowers("TanhShrink")
def tanh_shrink(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x - tanh(x)."""
    x = floating(graph, x)
    return graph.op("Sub", x, graph.op("Tanh", x))


@lowers("HardShrink", "SoftShrink")
def shrink(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """0 within the threshold of 0; beyond, x, or for SoftShrink x moved towards 0 by the threshold."""
    bias = operation.threshold if type(operation).__name__ == "SoftShrink" else 0
    return graph.op("Shrink", floating(graph, x), lambd=float(operation.threshold), bias=float(bias))


@lowers("Relu6", "HardTanh")
def bounded(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x in 0 to 6, or in -1 to 1."""
    x = floating(graph, x)
    low, high = (0, 6) if type(operation).__name__ == "Relu6" else (-1, 1)
    return graph.op("Clip", x, graph.constant(low, keras_dtype(x)), graph.constant(high, keras_dtype(x)))


@lowers("Threshold")
def threshold(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x above the threshold, a default elsewhere."""
    x = floating(graph, x)
    above = graph.op("Greater", x, graph.constant(operation.threshold, keras_dtype(x)))
    return graph.op("Where", above, x, graph.constant(operation.default_value, keras_dtype(x)))


@lowers("SparseSigmoid")
def sparse_sigmoid(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """(x + 1) / 2 in 0 to 1."""
    return graph.op("HardSigmoid", floating(graph, x), alpha=0.5, beta=0.5)


@lowers("SparsePlus")
def sparse_plus(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """0 to -1, then (x + 1)^2 / 4, then x from 1: the middle piece on x cut to -1..1, plus what lies above 1."""
    x = floating(graph, x)
    one, zero = (graph.constant(number, keras_dtype(x)) for number in (1, 0))
    middle = graph.op("Add", graph.op("Clip", x, graph.constant(-1, keras_dtype(x)), one), one)
    piece = graph.op("Mul", graph.op("Mul", middle, middle), graph.constant(0.25, keras_dtype(x)))
    return graph.op("Add", piece, graph.op("Max", graph.op("Sub", x, one), zero))


@lowers("Squareplus")
def squareplus(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """(x + sqrt(x^2 + b)) / 2."""
    x = floating(graph, x)
    root = graph.op("Sqrt", graph.op("Add", graph.op("Mul", x, x), graph.constant(operation.b, keras_dtype(x))))
    return graph.op("Mul", graph.op("Add", x, root), graph.constant(0.5, keras_dtype(x)))


@lowers("ReLU")
def relu(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """`keras.activations.relu` with its slope, threshold and maximum.

    Above the threshold x (cut at the maximum), below it slope * (x - threshold).
    """
    x = floating(graph, x)
    dtype = keras_dtype(x)
    slope, threshold, maximum = operation.negative_slope, operation.threshold, operation.max_value
    if maximum is None and not threshold:
        return graph.op("LeakyRelu", x, alpha=float(slope)) if slope else graph.op("Relu", x)
    bar, zero = graph.constant(threshold or 0, dtype), graph.constant(0, dtype)
    y = graph.op("Where", graph.op("Greater", x, bar), x, zero) if threshold else x
    if maximum is not None:
        y = graph.op("Clip", y, zero, graph.constant(maximum, dtype))
    if slope:
        below = graph.op("Min", graph.op("Sub", x, bar), zero)
        y = graph.op("Add", y, graph.op("Mul", below, graph.constant(slope, dtype)))
    return y


@lowers("Softmax", "LogSoftmax")
def softmax(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """Along one axis."""
    if not isinstance(operation.axis, int):
        raise NotLoweredError("several axes at once")
    return graph.op(type(operation).__name__, floating(graph, x), axis=operation.axis)


@lowers(keras.layers.Softmax)
def softmax_layer(graph: Graph, layer: keras.layers.Softmax, x: ir.Value, mask: ir.Value | None = None) -> ir.Value:
    """x [...] -> [...], summing to 1 over `axis`; where the mask (broadcast) is False, 0."""
    x = floating(graph, x)
    if mask is not None:
        dtype = keras_dtype(mask)
        keep = mask if dtype == "bool" else graph.op("Greater", mask, graph.constant(0.5, dtype))
        lowest = np.float32(-3e4 if "float16" in (layer.compute_dtype, keras_dtype(x)) else -1e9)
        x = graph.op("Where", keep, x, graph.constant(lowest, "float32"))
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if len(axes) == 1:
        y = graph.op("Softmax", x, axis=axes[0])
    else:
        y = graph.op("Exp", graph.op("Sub", x, graph.op("ReduceLogSumExp", x, np.array(axes), keepdims=1)))
    return y if mask is None else graph.op("Where", keep, y, graph.constant(0, "float32"))

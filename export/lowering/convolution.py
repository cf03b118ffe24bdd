"""Convolutions over sequences [batch, length, channels], and over any number of spatial axes.

ONNX has the channels first; where Keras has them last, the convolution stands between two transpositions.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from ..graph import Graph, constant_of, dimensions
from .registry import NotLoweredError, lowers


def per_axis(number: int | Sequence[int], rank: int) -> list[int]:
    """A size for each spatial axis."""
    return [number] * rank if isinstance(number, int) else [int(item) for item in number]


def channels_first(
    graph: Graph, data_format: str | None, x: ir.Value, core: Callable[[ir.Value], ir.Value]
) -> ir.Value:
    """Applies `core` to x [batch, channels, *spatial], whichever way round x is, and turns the result back."""
    if (data_format or keras.config.image_data_format()) == "channels_first":
        return core(x)
    rank = len(dimensions(x))
    turned = graph.op("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)])
    return graph.op("Transpose", core(turned), perm=[0, *range(2, rank), 1])


def padding_of(padding: str, sizes: Sequence[int], strides: Sequence[int]) -> dict[str, Any]:
    """The ONNX attributes of Keras's `padding`, for windows of `sizes` (dilated).

    With stride 1 "same" is a fixed number of zeros; else it follows from the length, which ONNX works out alike.
    """
    if padding == "valid":
        return {}
    if padding != "same":
        raise NotLoweredError(f"padding {padding!r}")
    if any(stride > 1 for stride in strides):
        return {"auto_pad": "SAME_UPPER"}
    total = [size - 1 for size in sizes]
    return {"pads": [size // 2 for size in total] + [size - size // 2 for size in total]}


@lowers("Conv")
def conv(graph: Graph, operation: Any, x: ir.Value, kernel: ir.Value) -> ir.Value:
    """x [batch, *spatial, in], kernel [*window, in / groups, out] -> [batch, *spatial, out]."""
    rank = len(dimensions(x)) - 2
    weight = np.moveaxis(_constant(kernel), (-1, -2), (0, 1))
    return _convolve(graph, operation, x, graph.weight("kernel", weight, kernel, "channels first"), rank)


@lowers("DepthwiseConv")
def depthwise_conv(graph: Graph, operation: Any, x: ir.Value, kernel: ir.Value) -> ir.Value:
    """x [batch, *spatial, in], kernel [*window, in, multiplier] -> [batch, *spatial, in * multiplier]."""
    rank = len(dimensions(x)) - 2
    return _convolve(graph, operation, x, _depthwise_weight(graph, kernel), rank)


@lowers("SeparableConv")
def separable_conv(
    graph: Graph, operation: Any, x: ir.Value, depthwise_kernel: ir.Value, pointwise_kernel: ir.Value
) -> ir.Value:
    """x [batch, *spatial, in] -> each channel by itself, then all of them at each place -> [batch, *spatial, out]."""
    rank = len(dimensions(x)) - 2
    pointwise = np.moveaxis(_constant(pointwise_kernel), (-1, -2), (0, 1))
    weight = graph.weight("pointwise_kernel", pointwise, pointwise_kernel, "channels first")
    depthwise = _depthwise_weight(graph, depthwise_kernel)
    return _convolve(graph, operation, x, depthwise, rank, then=lambda y: graph.op("Conv", y, weight))


def _constant(kernel: ir.Value) -> np.ndarray:
    if kernel.const_value is None:
        raise NotLoweredError("a kernel that is computed")
    return constant_of(kernel)


def _depthwise_weight(graph: Graph, kernel: ir.Value) -> ir.Value:
    """[*window, in, multiplier] -> [in * multiplier, 1, *window]."""
    values = np.moveaxis(_constant(kernel), (-2, -1), (0, 1))
    return graph.weight("kernel", values.reshape(-1, 1, *values.shape[2:]), kernel, "depthwise")


def _convolve(
    graph: Graph,
    operation: Any,
    x: ir.Value,
    weight: ir.Value,
    rank: int,
    then: Callable[[ir.Value], ir.Value] = lambda y: y,
) -> ir.Value:
    """One Conv with the operation's strides, padding and dilation; the groups follow from the sizes."""
    strides, dilations = per_axis(operation.strides, rank), per_axis(operation.dilation_rate, rank)
    first = (operation.data_format or keras.config.image_data_format()) == "channels_first"
    channels = dimensions(x)[1 if first else -1]
    group_size, *sizes = constant_of(weight).shape[1:]
    window = [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]
    attributes = {
        "strides": strides,
        "dilations": dilations,
        "group": channels // group_size,  # Keras wants the channels known
        **padding_of(operation.padding, window, strides),
    }
    return channels_first(graph, operation.data_format, x, lambda y: then(graph.op("Conv", y, weight, **attributes)))

"""Pooling over windows; pooling over a whole sequence is a reduction."""

from typing import Any

import onnx_ir as ir

from ..graph import Graph, dimensions
from .convolution import channels_first, padding_of, per_axis
from .registry import lowers


@lowers("MaxPool", "AveragePool")
def pool(graph: Graph, operation: Any, x: ir.Value) -> ir.Value:
    """x [batch, *spatial, channels] -> the largest or mean value of each window, padding left out."""
    rank = len(dimensions(x)) - 2
    window = per_axis(operation.pool_size, rank)
    strides = window if operation.strides is None else per_axis(operation.strides, rank)
    attributes = {"kernel_shape": window, "strides": strides, **padding_of(operation.padding, window, strides)}
    operator = type(operation).__name__
    return channels_first(graph, operation.data_format, x, lambda y: graph.op(operator, y, **attributes))

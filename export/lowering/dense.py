"""Dense layers: a matrix product, a bias, an activation."""

import keras
import onnx_ir as ir

from ..graph import Graph
from .registry import lowers


@lowers(keras.layers.Dense)
def dense(graph: Graph, layer: keras.layers.Dense, x: ir.Value) -> ir.Value:
    """x [..., in] -> [..., units]: MatMul, not Gemm, since every quantizer knows what to do with a constant MatMul."""
    y = graph.op("MatMul", x, graph.variable(layer.kernel))
    if layer.use_bias:
        y = graph.op("Add", y, graph.variable(layer.bias))
    return y

"""What a decoder's layers are made of: products and norms."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph import Graph


def product(graph: Graph, dense: Any, x: ir.Value, axes: int = 1) -> ir.Value:
    """x [..., in] @ kernel, whose first `axes` axes are the input's, + bias: [..., out]."""
    kernel = np.asarray(dense.kernel)
    width = int(np.prod(kernel.shape[:axes]))
    scope, graph.scope = graph.scope, f"{graph.scope}/{dense.name}"
    y = graph.op("MatMul", x, graph.weight("kernel", kernel.reshape(width, -1), dense.kernel))
    if dense.bias is not None:
        bias = np.asarray(dense.bias).reshape(-1)
        y = graph.op("Add", y, graph.weight("bias", bias, dense.bias))
    graph.scope = scope
    return y


def layer_norm(graph: Graph, layer: Any, x: ir.Value) -> ir.Value:
    """x [..., hidden], of mean 0 and variance 1 over the last axis, times gamma, plus beta."""
    weights = graph.weight(layer.gamma.name, layer.gamma, layer.gamma), graph.weight("beta", layer.beta, layer.beta)
    return graph.op("LayerNormalization", x, *weights, axis=-1, epsilon=float(layer.epsilon))


def rms_norm(graph: Graph, layer: Any, x: ir.Value) -> ir.Value:
    """x [..., size] over the root of its mean square, times a scale: RMSNorm (Zhang and Sennrich 2019).

    onnxruntime makes one operator of these at load.
    """
    epsilon = float(layer.epsilon if hasattr(layer, "epsilon") else layer._epsilon)
    square = graph.op("Pow", x, np.float32(2))
    mean = graph.op("ReduceMean", square, np.array([-1]), keepdims=1)
    root = graph.op("Sqrt", graph.op("Add", mean, np.float32(epsilon)))
    return graph.op("Mul", graph.op("Div", x, root), graph.weight("scale", layer.scale, layer.scale))

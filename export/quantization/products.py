"""Products of matrices in int8: what is multiplied is quantized by its range as it goes.

onnxruntime's `DynamicQuantizeMatMul` does all of it. In standard operators it is `DynamicQuantizeLinear` and
`MatMulInteger`, of which onnxruntime makes the same again at load.
"""

import numpy as np
import onnx_ir as ir

from ..graph import CONTRIB
from .rounding import round_factor
from .weights import Weights


def quantize_matmul(node: ir.Node, weights: Weights) -> list[ir.Node] | None:
    """x [..., in] @ constant [in, out], and the bias of an Add that follows.

    The constant may be the transpose of an embedding table [out, in], whose int8 rows then serve both.
    """
    x = node.inputs[0]
    weight, turned = weights.source(node.inputs[1])
    array = weights.array(weight)
    if x is None or weight is None or array is None or array.ndim != 2 or (x.shape is not None and len(x.shape) < 2):
        return None
    bias = take_bias(node, array.shape[0 if turned else 1])
    if not turned:
        return _product(x, weights.twins(weight, columns), bias, weights)
    turning, int8, scales = tied_factor(weight, weights)
    return [*turning, *_product(x, (int8, scales), bias, weights)]


def quantize_gemm(node: ir.Node, weights: Weights) -> list[ir.Node] | None:
    """x [batch, in] @ constant [in, out] (or [out, in] with `transB`) + bias [out], unscaled."""
    x, weight, bias = [*node.inputs, None][:3]
    array = weights.array(weight)
    scaled = any(node.attributes.get_float(name, 1.0) != 1 for name in ("alpha", "beta"))
    if x is None or weight is None or array is None or scaled or node.attributes.get_int("transA"):
        return None
    turned = bool(node.attributes.get_int("transB"))
    if bias is not None and not _is_bias(bias, array.shape[0 if turned else 1]):
        return None
    return _product(x, weights.twins(weight, _turned_factor if turned else columns), bias, weights)


def tied_factor(table: ir.Value, weights: Weights) -> tuple[list[ir.Node], ir.Value, ir.Value]:
    """The int8 rows of a table [out, in] as a factor: what turns them at load, int8 [in, out], and its scales [out]."""
    rows, scale = weights.twins(table, tied_rows)
    factor = ir.node("Transpose", [rows], {"perm": [1, 0]})
    scales = ir.node("Squeeze", [scale, weights.constant(np.array([1]))])
    return [factor, scales], factor.outputs[0], scales.outputs[0]


def tied_rows(array: np.ndarray) -> dict[str, np.ndarray]:
    """An embedding table [out, in] that is also a factor: int8 of the same shape, and a scale per row [out, 1]."""
    rounded, scale = round_factor(array.T)
    return {"int8": rounded.T, "scale": scale[:, None]}


def _product(x: ir.Value, factor: tuple[ir.Value, ...], bias: ir.Value | None, weights: Weights) -> list[ir.Node]:
    """The nodes of x @ (int8 * scale) + bias."""
    int8, scale = factor
    if not weights.portable:
        return [ir.node("DynamicQuantizeMatMul", [x, int8, scale, None, bias], domain=CONTRIB)]
    quantize = ir.node("DynamicQuantizeLinear", [x], num_outputs=3)
    uint8, step, zero = quantize.outputs
    whole = ir.node("MatMulInteger", [uint8, int8, zero])
    real = ir.node("Cast", whole.outputs, {"to": ir.DataType.FLOAT})
    steps = ir.node("Mul", [step, scale])
    y = ir.node("Mul", [real.outputs[0], steps.outputs[0]])
    nodes = [quantize, whole, real, steps, y]
    return nodes if bias is None else [*nodes, ir.node("Add", [y.outputs[0], bias])]


def columns(array: np.ndarray) -> dict[str, np.ndarray]:
    """A constant factor [in, out]: int8 of the same shape, and a scale per column [out]."""
    rounded, scale = round_factor(array)
    return {"int8": rounded, "scale": scale}


def _turned_factor(array: np.ndarray) -> dict[str, np.ndarray]:
    return columns(array.T)


def take_bias(node: ir.Node, width: int) -> ir.Value | None:
    """The constant [out] that the only consumer adds, which is taken out of the graph."""
    product = node.outputs[0]
    uses = product.uses()
    if len(uses) != 1 or product.is_graph_output():
        return None
    ((consumer, index),) = uses
    if consumer.op_type != "Add" or consumer.domain or not _is_bias(consumer.inputs[1 - index], width):
        return None
    bias = consumer.inputs[1 - index]
    graph = consumer.graph
    if graph is None:
        return None
    ir.convenience.replace_nodes_and_values(graph, consumer, [consumer], [], consumer.outputs, [product])
    return bias


def _is_bias(value: ir.Value | None, width: int) -> bool:
    tensor = ir.convenience.get_const_tensor(value) if value is not None else None
    return tensor is not None and tensor.dtype == ir.DataType.FLOAT and tuple(tensor.shape) == (width,)

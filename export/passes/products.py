"""Sums that are products of matrices, and products that are rows known at export.

1. `ReduceSum(Mul(x, w), axis 1)` of x [batch, sequence, hidden] and w [batch, sequence, 1] -> `MatMul` of w, turned,
   and x: a masked mean reads the states once and writes no product as large.
2. `Add(MatMul(z, W), MatMul(Expand(c, Shape(Slice(z))), K))` with constants c (a number) and K [1, n] -> the second
   product is the row c * K, whatever the shape. So a bias that Keras holds in a Dense layer of ones becomes a bias,
   which int8 products take in.
"""

import numpy as np
import onnx_ir as ir


def find_products(graph: ir.Graph) -> None:
    """Applies the rules wherever they fit."""
    for node in list(graph):
        if node.op_type == "ReduceSum" and not node.domain:
            _weighted_sum(graph, node)
        elif node.op_type == "Add" and not node.domain:
            for index in (0, 1):
                _constant_row(graph, node, index)


def _weighted_sum(graph: ir.Graph, total: ir.Node) -> None:
    product = _made_by(total.inputs[0], "Mul")
    axes = _constant(total.inputs[1]) if len(total.inputs) > 1 else None
    if product is None or axes is None or axes.tolist() != [1]:
        return
    if len(product.outputs[0].uses()) > 1 or product.outputs[0].is_graph_output():
        return
    by_width = {_width(value): value for value in product.inputs}
    weights = by_width.pop(1, None)
    if weights is None or len(by_width) != 1 or None in by_width:
        return
    (states,) = by_width.values()
    turned = ir.node("Transpose", [weights], {"perm": [0, 2, 1]}, name=f"{total.name}/turned")
    summed = ir.node("MatMul", [turned.outputs[0], states], name=f"{total.name}/MatMul")
    nodes = [turned, summed]
    if total.attributes.get_int("keepdims", 1) == 0:
        nodes.append(ir.node("Squeeze", [summed.outputs[0], total.inputs[1]], name=total.name))
    for node in nodes:
        node.outputs[0].name = node.name
    ir.convenience.replace_nodes_and_values(graph, total, [total], nodes, total.outputs, nodes[-1].outputs)


def _constant_row(graph: ir.Graph, add: ir.Node, index: int) -> None:
    product, row = (_made_by(add.inputs[place], "MatMul") for place in (1 - index, index))
    expand = _made_by(row.inputs[0], "Expand") if row is not None else None
    shape = _made_by(expand.inputs[1], "Shape") if expand is not None else None
    part = _made_by(shape.inputs[0], "Slice") if shape is not None else None
    if product is None or row is None or expand is None or part is None or part.inputs[0] is not product.inputs[0]:
        return
    number, kernel, starts, ends = map(_constant, (expand.inputs[0], row.inputs[1], *part.inputs[1:3]))
    if number is None or kernel is None or number.size != 1 or kernel.ndim != 2 or len(kernel) != 1:
        return
    if starts is None or ends is None or starts.any() or (ends < 1).any():
        return  # the slice may be empty
    array = (number.reshape(()) * kernel[0]).astype(kernel.dtype)
    tensor = ir.tensor(array, name=f"{row.name}/row")
    value = ir.Value(
        name=tensor.name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor
    )
    graph.register_initializer(value)
    add.replace_input_with(index, value)


def _made_by(value: ir.Value | None, operator: str) -> ir.Node | None:
    """The node that makes a value, if it is of this standard operator."""
    node = value.producer() if value is not None else None
    return node if node is not None and node.op_type == operator and not node.domain else None


def _constant(value: ir.Value | None) -> np.ndarray | None:
    tensor = ir.convenience.get_const_tensor(value) if value is not None else None
    return None if tensor is None else tensor.numpy()


def _width(value: ir.Value | None) -> int | None:
    """The size of the last of three axes, where it is known."""
    size = value.shape[-1] if value is not None and value.shape is not None and len(value.shape) == 3 else None
    return size if isinstance(size, int) else None

"""Shapes of all values, with the names of axes that shape inference loses: it calls what it cannot follow "unk__0", ...

0. `MultiHeadAttention`, which is onnxruntime's own, gives the shape of its query.
1. `TopK(x, Shape(y))` along the axis that y was measured on is a sort: the outputs have x's axes. So recurrent layers
   that sort a masked sequence, and all that follows them, keep `batch_size` and `sequence_length`.
2. `Slice(table, 0, Shape(x))` takes as many rows as x has of an axis. (Were the table shorter, what reads the rows
   beside x would fail.) So position embeddings have `sequence_length` rows.
3. Elementwise operators on axes that are equal, by the rules above, give that axis.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import onnx_ir as ir
from onnx_ir.passes import common

from ..graph import CONTRIB

Names = dict[str, int | str | None]

_ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Sum", "Where"}


def infer_shapes(model: ir.Model) -> None:
    """Writes on every value its shape, with axes named as those of the graph inputs that they follow from."""
    with _attention_as_identity(model.graph):
        common.ShapeInferencePass(check_type=False, strict_mode=False)(model)
    name_axes(model.graph)


@contextmanager
def _attention_as_identity(graph: ir.Graph) -> Iterator[None]:
    """Rule 0: shape inference is shown an operator that it knows."""
    shown = [(node, list(node.inputs)) for node in graph if node.op_type == "MultiHeadAttention" and _is_square(node)]
    for node, _ in shown:
        node.op_type, node.domain = "Identity", ""
        node.resize_inputs(1)
    yield
    for node, inputs in shown:
        node.op_type, node.domain = "MultiHeadAttention", CONTRIB
        node.resize_inputs(len(inputs))
        for index, value in enumerate(inputs):
            node.replace_input_with(index, value)


def _is_square(node: ir.Node) -> bool:
    """Whether the last axis of a node's output is known to be that of its first input."""
    shapes = [value.shape if value is not None else None for value in (node.inputs[0], node.outputs[0])]
    widths = {shape[-1] if shape is not None else None for shape in shapes}
    return len(widths) == 1 and None not in widths


def name_axes(graph: ir.Graph) -> None:
    """Puts the names of known axes in place of invented ones, wherever in the graph those stand."""
    known: Names = {}
    for node in graph:
        if node.domain:
            continue
        if node.op_type == "TopK" and _takes_all(node):
            for output in node.outputs:
                known |= _equal_axes(output.shape, node.inputs[0].shape)  # type: ignore[union-attr]
        elif node.op_type == "Slice":
            known |= _sliced_axis(node)
        elif node.op_type in _ELEMENTWISE:
            known |= _joined_axes(node, known)
    for node in graph:
        for value in node.outputs:
            if value.shape is not None:
                value.shape = ir.Shape([known.get(str(size), size) for size in _sizes(value.shape)])


def _takes_all(top: ir.Node) -> bool:
    """Whether k is the size of the axis that is sorted."""
    x, k = top.inputs
    measure = k.producer() if k is not None else None
    if x is None or x.shape is None or measure is None or measure.op_type != "Shape" or not measure.inputs:
        return False
    measured = measure.inputs[0].shape if measure.inputs[0] is not None else None
    axis = (top.attributes.get_int("axis", -1) or 0) % len(x.shape)
    start = measure.attributes.get_int("start", 0)
    return measured is not None and start == axis and measured[axis] == x.shape[axis]


def _sliced_axis(node: ir.Node) -> Names:
    """Rule 2."""
    if len(node.inputs) != 4:
        return {}
    start, axes = (ir.convenience.get_const_tensor(node.inputs[index]) for index in (1, 3))  # type: ignore[arg-type]
    measure = node.inputs[2].producer() if node.inputs[2] is not None else None
    if start is None or axes is None or measure is None or measure.op_type != "Shape" or measure.inputs[0] is None:
        return {}
    measured, sliced = measure.inputs[0].shape, node.outputs[0].shape
    if start.numpy().tolist() != [0] or axes.numpy().tolist() != [0] or measured is None or sliced is None:
        return {}
    first, last = measure.attributes.get_int("start", 0), measure.attributes.get_int("end")
    sizes = _sizes(measured)[first:last]
    return {str(_sizes(sliced)[0]): sizes[0]} if len(sizes) == 1 and _is_invented(_sizes(sliced)[0]) else {}


def _joined_axes(node: ir.Node, known: Names) -> Names:
    """Rule 3, counted from the last axis, as operators broadcast."""
    output, shapes = node.outputs[0].shape, [value.shape if value is not None else None for value in node.inputs]
    if output is None or None in shapes:
        return {}
    found: Names = {}
    for place, name in enumerate(reversed(_sizes(output))):
        sizes = {known.get(str(size), size) for shape in shapes for size in _sizes(shape)[::-1][place : place + 1]}  # type: ignore[arg-type]
        sizes.discard(1)
        if _is_invented(name) and len(sizes) == 1:
            found[str(name)] = sizes.pop()
    return found


def _is_invented(size: int | str | None) -> bool:
    return isinstance(size, str) and size.startswith("unk__")


def _equal_axes(invented: ir.Shape | None, true: ir.Shape | None) -> dict[str, int | str | None]:
    if invented is None or true is None:
        return {}
    return {str(new): size for new, size in zip(_sizes(invented), _sizes(true), strict=True) if str(new) != str(size)}


def _sizes(shape: ir.Shape) -> list[int | str | None]:
    return [size if isinstance(size, int) else size.value for size in shape]

"""Names of axes that shape inference loses: it calls a size that it cannot follow "unk__0", "unk__1", ...

1. `TopK(x, Shape(y))` along the axis that y was measured on is a sort: the outputs have x's axes. So recurrent layers
   that sort a masked sequence, and all that follows them, keep `batch_size` and `sequence_length`.
"""

import onnx_ir as ir


def name_axes(graph: ir.Graph) -> None:
    """Puts the names of known axes in place of invented ones, wherever in the graph those stand."""
    known: dict[str, int | str | None] = {}
    for node in graph:
        if node.op_type == "TopK" and not node.domain and _takes_all(node):
            for output in node.outputs:
                known |= _equal_axes(output.shape, node.inputs[0].shape)  # type: ignore[union-attr]
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


def _equal_axes(invented: ir.Shape | None, true: ir.Shape | None) -> dict[str, int | str | None]:
    if invented is None or true is None:
        return {}
    return {str(new): size for new, size in zip(_sizes(invented), _sizes(true), strict=True) if str(new) != str(size)}


def _sizes(shape: ir.Shape) -> list[int | str | None]:
    return [size if isinstance(size, int) else size.value for size in shape]

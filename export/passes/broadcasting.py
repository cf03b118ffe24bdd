"""Copies that an operator would make by itself.

1. `Add(y, Expand(x, Shape(y)))` -> `Add(y, x)`, either way round; so Sub, Mul and Div. Position embeddings, which are
   the same for every row, are added without a copy for each.
"""

import onnx_ir as ir

_BROADCASTING = {"Add", "Sub", "Mul", "Div"}


def drop_expansions(graph: ir.Graph) -> None:
    """Lets operators that broadcast read what is expanded before it is."""
    for node in graph:
        if node.op_type in _BROADCASTING and not node.domain:
            for index in (0, 1):
                small = _expanded_to(node.inputs[index], node.inputs[1 - index])
                if small is not None:
                    node.replace_input_with(index, small)


def _expanded_to(value: ir.Value | None, like: ir.Value | None) -> ir.Value | None:
    """What was expanded to the shape of `like`, or None."""
    expand = value.producer() if value is not None else None
    if expand is None or expand.op_type != "Expand" or expand.domain or expand.inputs[1] is None:
        return None
    shape = expand.inputs[1].producer()
    if shape is None or shape.op_type != "Shape" or shape.inputs[0] is not like:
        return None
    if shape.attributes.get_int("start", 0) or shape.attributes.get_int("end") is not None:
        return None
    return expand.inputs[0]

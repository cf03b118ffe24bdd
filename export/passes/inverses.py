"""Nodes that undo one another.

1. `Transpose(Transpose(x))` -> one Transpose; one that changes no order -> Identity.
2. `Cast(Cast(x))` -> `Cast(x)` where the inner one keeps every value; a Cast to the type that is there -> Identity.
3. `Not(Not(x))` -> Identity.
4. `Unsqueeze(Squeeze(x))` and `Squeeze(Unsqueeze(x))` over the same axes -> Identity.

The inner node stays if others read it. Stacked recurrent layers meet 1, masks 2 and 3.
"""

import numpy as np
import onnx_ir as ir

_INVERSE = {"Squeeze": "Unsqueeze", "Unsqueeze": "Squeeze"}


def cancel_inverses(graph: ir.Graph) -> None:
    """Shortens pairs of nodes, in the order of the graph, so that longer chains collapse too."""
    for node in list(graph):
        if node.domain == "" and node.inputs and node.inputs[0] is not None:
            _RULES.get(node.op_type, lambda node, inner: None)(node, _inner(node))


def _inner(node: ir.Node) -> ir.Node | None:
    """The node that makes the first input, past Identity nodes."""
    value = node.inputs[0]
    while value is not None and (producer := value.producer()) is not None and producer.op_type == "Identity":
        value = producer.inputs[0]
    inner = value.producer() if value is not None else None
    return inner if inner is not None and inner.domain == "" else None


def _transpose(node: ir.Node, inner: ir.Node | None) -> None:
    order = node.attributes.get_ints("perm")
    if order is None:
        return
    if inner is not None and inner.op_type == "Transpose" and (first := inner.attributes.get_ints("perm")) is not None:
        order = [first[axis] for axis in order]
        node.replace_input_with(0, inner.inputs[0])
        node.attributes.add(ir.AttrInt64s("perm", order))
    if list(order) == sorted(order):
        _skip(node)


def _cast(node: ir.Node, inner: ir.Node | None) -> None:
    if inner is not None and inner.op_type == "Cast" and _keeps(inner.inputs[0], _target(inner)):
        node.replace_input_with(0, inner.inputs[0])
    if node.inputs[0].dtype == _target(node):  # type: ignore[union-attr]
        _skip(node)


def _not(node: ir.Node, inner: ir.Node | None) -> None:
    if inner is not None and inner.op_type == "Not":
        node.replace_input_with(0, inner.inputs[0])
        _skip(node)


def _squeeze(node: ir.Node, inner: ir.Node | None) -> None:
    if inner is None or inner.op_type != _INVERSE[node.op_type] or len(node.inputs) < 2 or len(inner.inputs) < 2:
        return
    axes, undone = (ir.convenience.get_const_tensor(each.inputs[1]) for each in (node, inner))  # type: ignore[arg-type]
    if axes is not None and undone is not None and np.array_equal(axes.numpy(), undone.numpy()):
        node.replace_input_with(0, inner.inputs[0])
        _skip(node)


_RULES = {"Transpose": _transpose, "Cast": _cast, "Not": _not, "Squeeze": _squeeze, "Unsqueeze": _squeeze}


def _skip(node: ir.Node) -> None:
    """Makes a node an Identity of its first input."""
    node.op_type = "Identity"
    node.attributes.clear()
    node.resize_inputs(1)


def _target(cast: ir.Node) -> ir.DataType:
    return ir.DataType(cast.attributes.get_int("to"))


def _keeps(value: ir.Value | None, target: ir.DataType) -> bool:
    """Whether every value of one type has its like in another: so bool, and integers in wider ones of their sign."""
    source = value.dtype if value is not None else None
    if source is None:
        return False
    if source == ir.DataType.BOOL:
        return target != ir.DataType.STRING
    return source.is_integer() and target.is_integer() and _holds(target, source)


def _holds(target: ir.DataType, source: ir.DataType) -> bool:
    wide, narrow = np.iinfo(target.numpy()), np.iinfo(source.numpy())
    return bool(wide.min <= narrow.min and narrow.max <= wide.max)

"""Integers at the boundary: graph inputs are int64, as clients send them, and are cast to Keras's int32 first of all.

Token ids and masks fit either type, so most readers can take the int64 itself, and the cast goes unread:

1. `Gather(table, Cast(x))` -> `Gather(table, x)`.
2. `Compare(Cast(x), constant)` -> `Compare(x, constant as int64)`, either way round.
3. `Cast(Cast(x), type)` -> `Cast(x, type)`.
4. `Shape(Cast(x))` -> `Shape(x)`.
5. `Move(Cast(x))` -> `Cast(Move(x))` for what only moves elements; then 1 to 4 for what reads it.

Each saves one pass over the ids, and the node's overhead: 2 us of a request.
"""

import numpy as np
import onnx_ir as ir

_COMPARISONS = {"Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"}
_MOVES = {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Slice", "Flatten", "GatherElements", "GatherND"}


def pull_integers(graph: ir.Graph) -> None:
    """Lets the readers of a cast graph input read the input itself."""
    for node in list(graph):
        if _casts_input(node):
            for use in list(node.outputs[0].uses()):
                _pull(graph, use.node, use.idx, node)


def _casts_input(node: ir.Node) -> bool:
    """Whether a node casts an int64 graph input to another integer type."""
    if node.op_type != "Cast" or node.domain:
        return False
    source = node.inputs[0]
    integer = ir.DataType(node.attributes.get_int("to")).is_integer()
    return integer and source is not None and source.is_graph_input() and source.dtype == ir.DataType.INT64


def _pull(graph: ir.Graph, reader: ir.Node, index: int, cast: ir.Node) -> None:
    source, kind = cast.inputs[0], reader.op_type
    if reader.domain:
        return
    if (kind == "Gather" and index == 1) or kind in ("Cast", "Shape"):
        reader.replace_input_with(index, source)
    elif kind in _COMPARISONS:
        other = reader.inputs[1 - index]
        constant = ir.convenience.get_const_tensor(other) if other is not None else None
        if constant is not None:
            wide = ir.tensor(constant.numpy().astype(np.int64), name=f"{reader.name}/constant")
            reader.replace_input_with(index, source)
            reader.replace_input_with(1 - index, _initializer(graph, wide))
    elif kind in _MOVES and index == 0 and not reader.outputs[0].is_graph_output():
        _swap(graph, reader, cast)


def _swap(graph: ir.Graph, move: ir.Node, cast: ir.Node) -> None:
    """Move(Cast(x)) -> Cast(Move(x)), on to the readers."""
    moved = move.outputs[0]
    uses = list(moved.uses())
    later = ir.node("Cast", [moved], dict(cast.attributes), name=f"{move.name}/Cast")
    later.outputs[0].name = later.name
    later.outputs[0].shape, later.outputs[0].type = moved.shape, moved.type
    ir.convenience.replace_all_uses_with(moved, later.outputs[0])
    later.replace_input_with(0, moved)
    move.replace_input_with(0, cast.inputs[0])
    moved.type = ir.TensorType(ir.DataType.INT64)
    graph.insert_after(move, later)
    for use in uses:
        _pull(graph, use.node, use.idx, later)


def _initializer(graph: ir.Graph, tensor: ir.TensorProtocol) -> ir.Value:
    name = tensor.name or ""
    if name not in graph.initializers:
        value = ir.Value(
            name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(tensor.numpy().shape), const_value=tensor
        )
        graph.register_initializer(value)
    return graph.initializers[name]

"""Transposes go where they move least: recurrent operators alone want [sequence, batch, ...].

1. `Transpose(Gather(table, ids))` that leaves the axes of the rows alone -> `Gather(table, Transpose(ids))`: ids are
   moved instead of embedded rows, which are dim times as many numbers (7 us of a request of 200 tokens).
"""

import onnx_ir as ir


def transpose_ids(graph: ir.Graph) -> None:
    """Moves transposes of looked-up rows to the ids."""
    for node in list(graph):
        if node.op_type == "Transpose" and not node.domain:
            _transpose_ids(graph, node)


def _transpose_ids(graph: ir.Graph, transpose: ir.Node) -> None:
    rows = transpose.inputs[0]
    gather = rows.producer() if rows is not None else None
    if (
        rows is None
        or gather is None
        or gather.op_type != "Gather"
        or gather.domain
        or gather.attributes.get_int("axis")
    ):
        return
    table, ids = gather.inputs
    order = list(transpose.attributes.get_ints("perm") or ())
    if table is None or table.shape is None or len(rows.uses()) > 1 or rows.is_graph_output():
        return
    rank = len(order) - len(table.shape) + 1  # of the ids
    if rank < 2 or order[rank:] != list(range(rank, len(order))):
        return
    turned = ir.node("Transpose", [ids], {"perm": order[:rank]}, name=f"{transpose.name}/ids")
    turned.outputs[0].name = turned.name
    graph.insert_before(gather, turned)
    gather.replace_input_with(1, turned.outputs[0])
    rows.shape = None  # inferred anew
    transpose.op_type = "Identity"
    transpose.attributes.clear()

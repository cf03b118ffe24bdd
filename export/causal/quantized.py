"""A decoder's graph with small weights."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

import onnx_ir as ir
from onnx_ir.passes import common

from ..graph import CONTRIB
from ..quantization.coverage import Coverage, Level, Tally, initializer_bytes
from ..quantization.storage import store_rows
from ..quantization.weights import Weights
from .blockwise import block_product
from .columnwise import ColumnProducts

Bits = Literal[4, 8]


def quantize_causal(model: ir.Model, bits_of: Callable[[str], Bits]) -> tuple[ir.Model, dict[str, object]]:
    """Stores the weights of products, and embeddings, in 8 or 4 bits.

    Args:
        model: A float32 decoder. It is left as it is.
        bits_of: How many bits the weight of a name gets; embeddings always have 8, and the head that is one as well.

    Returns:
        The smaller model, and what became of each operator, as a record of the manifest.
    """
    before = initializer_bytes(model.graph)
    model = model.clone()
    weights = Weights(model.graph)
    products = ColumnProducts(weights)
    tallies: dict[str, Tally] = {}
    for node in list(model.graph):
        if node.op_type not in ("MatMul", "Gather") or node.domain:
            continue
        value, turned = weights.source(node.inputs[1 if node.op_type == "MatMul" else 0])
        if value is None or weights.array(value) is None or "position" in str(value.name):
            continue
        level: Level = "stored" if node.op_type == "Gather" else "computed"
        if level == "stored":
            new = store_rows(node, weights)
        elif not turned and bits_of(str(value.name)) == 4:
            new = [block_product(node, value, weights)]
        else:
            new = products.nodes(node, value, turned=turned)
        tallies.setdefault(node.op_type, Tally()).add(level if new else "kept", [node], new or [node])
        if new:
            _replace(node, new)
    model.graph.opset_imports.setdefault(CONTRIB, 1)
    common.RemoveUnusedNodesPass()(model)
    kinds = {kind: tally.coverage() for kind, tally in sorted(tallies.items())}
    quantized = sum(kind.computed + kind.stored for kind in kinds.values())
    total = quantized + sum(kind.kept for kind in kinds.values())
    after = initializer_bytes(model.graph)
    return model, asdict(
        Coverage(quantized=quantized, total=total, bytes_before=before, bytes_after=after, kinds=kinds)
    )


def _replace(node: ir.Node, new: list[ir.Node]) -> None:
    last = new[-1]
    for index, each in enumerate(new):
        each.name = node.name if each is last else f"{node.name}/{each.op_type}_{index}"
        for output in each.outputs if each is not last else ():
            output.name = each.name
    graph = node.graph
    if graph is None:
        raise ValueError(f"Only a node of a graph can be replaced. Received: {node.name!r}.")
    ir.convenience.replace_nodes_and_values(graph, node, [node], new, node.outputs, last.outputs)

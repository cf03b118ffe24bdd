"""A decoder's graph with small weights."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

import onnx_ir as ir
from onnx_ir.passes import common

from ..graph import CONTRIB
from ..quantization.coverage import Coverage, Tally, initializer_bytes
from ..quantization.weights import Weights
from .blockwise import block_lookup, block_product, int4_factor, int8_factor, int8_rows
from .columnwise import ColumnProducts

Rounding = Literal["int4 blocks", "int8 blocks", "int8 columns"]


def quantize_causal(model: ir.Model, rounding_of: Callable[[str], Rounding]) -> tuple[ir.Model, dict[str, object]]:
    """Stores the weights of products, and embeddings, in 8 or 4 bits.

    Args:
        model: A float32 decoder. It is left as it is.
        rounding_of: How the weight of a name is rounded; embeddings always in blocks of 8 bits, and the head that is
            one as well.

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
        array = weights.array(value)
        if value is None or array is None or "position" in str(value.name):
            continue
        if node.op_type == "Gather":
            new = block_lookup(node, weights.twins(value, int8_rows), array.shape[1], weights)
        elif turned:
            new = block_product(node, weights.twins(value, int8_rows), array.shape[1])
        elif (rounding := rounding_of(str(value.name))) == "int8 columns":
            new = products.nodes(node, value)
        else:
            twin = int8_factor if rounding == "int8 blocks" else int4_factor
            new = block_product(node, weights.twins(value, twin), array.shape[0])
        tallies.setdefault(node.op_type, Tally()).add("stored" if node.op_type == "Gather" else "computed", [node], new)
        _replace(node, new)
    model.graph.opset_imports.setdefault(CONTRIB, 1)
    common.RemoveUnusedNodesPass()(model)
    kinds = {kind: tally.coverage() for kind, tally in sorted(tallies.items())}
    total = sum(kind.computed + kind.stored for kind in kinds.values())
    after = initializer_bytes(model.graph)
    return model, asdict(Coverage(quantized=total, total=total, bytes_before=before, bytes_after=after, kinds=kinds))


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

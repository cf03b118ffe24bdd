"""One quantizing for all products of one input, as queries, keys and values are.

`DynamicQuantizeMatMul(x, ...)`, several of one x -> `DynamicQuantizeLinear(x)` once, `MatMulIntegerToFloat` each. The
numbers are the same; 3 to 5 % of the time of attention (benchmarks/LOG.md).
"""

import onnx_ir as ir

from ..graph import CONTRIB


def share_activations(graph: ir.Graph) -> None:
    """Lets products read an input that is quantized once."""
    products: dict[int, list[ir.Node]] = {}
    for node in graph:
        if node.op_type == "DynamicQuantizeMatMul" and node.domain == CONTRIB:
            products.setdefault(id(node.inputs[0]), []).append(node)
    for nodes in products.values():
        if len(nodes) > 1:
            _share(graph, nodes)


def _share(graph: ir.Graph, products: list[ir.Node]) -> None:
    first = products[0]
    quantize = ir.node("DynamicQuantizeLinear", first.inputs[:1], num_outputs=3, name=f"{first.name}/quantize")
    for output, part in zip(quantize.outputs, ("uint8", "scale", "zero_point"), strict=True):
        output.name = f"{quantize.name}:{part}"
    graph.insert_before(first, quantize)
    uint8, step, zero = quantize.outputs
    for node in products:
        _, int8, scale, _, bias = [*node.inputs, None][:5]
        inputs = [uint8, int8, step, scale, zero, None, bias]
        product = ir.node("MatMulIntegerToFloat", inputs, domain=CONTRIB, name=node.name)
        ir.convenience.replace_nodes_and_values(graph, node, [node], [product], node.outputs, product.outputs)

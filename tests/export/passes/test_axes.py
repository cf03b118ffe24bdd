"""Rules of the names of axes: what keeps them, and what does not."""

import numpy as np
import onnx_ir as ir

from kerasllm.export.graph import CONTRIB, Graph
from kerasllm.export.passes.axes import infer_shapes

from ..graphs import ids_input, model_of


def shapes(graph: Graph, *outputs: ir.Value, dtype: ir.DataType = ir.DataType.INT64) -> list[str]:
    """The shapes of outputs after inference and naming."""
    for value in outputs:
        value.type = ir.TensorType(dtype)
    model = model_of(graph, *outputs)
    for node in model.graph:
        for value in node.outputs if node.domain == "" else ():
            value.shape = None  # what was inferred without the rules
    infer_shapes(model)
    return [",".join(map(str, value.shape)) for value in model.graph.outputs]


def test_1_what_is_sorted_keeps_its_axes():
    graph = Graph()
    ids = ids_input(graph)
    order = graph.op("TopK", ids, graph.op("Shape", ids, start=1, end=2), axis=1, outputs=2)[1]
    y = graph.op("Transpose", graph.op("GatherElements", ids, order, axis=1), perm=[1, 0])
    assert shapes(graph, y, graph.op("ReduceSum", y, [0])) == ["sequence,batch", "1,batch"]


def test_1_what_is_cut_does_not():
    graph = Graph()
    ids = ids_input(graph)
    few = graph.op("TopK", ids, graph.op("Shape", ids, start=0, end=1), axis=1, outputs=2)[0]
    two = graph.op("TopK", ids, np.array([2]), axis=1, outputs=2)[0]
    assert all("sequence" not in shape for shape in shapes(graph, few, two))


def attention(graph: Graph, width: int) -> ir.Value:
    x = graph.input("x", ir.DataType.FLOAT, ["batch", "sequence", 8])
    value = graph.input("v", ir.DataType.FLOAT, ["batch", "sequence", width])
    y = graph.op("MultiHeadAttention", x, x, value, domain=CONTRIB, num_heads=2)
    return graph.describe(y, (None, None, width), "float32")


def test_0_attention_has_the_axes_of_its_query():
    graph = Graph()
    y = attention(graph, 8)
    assert shapes(graph, graph.op("Relu", y), y, dtype=ir.DataType.FLOAT) == ["batch,sequence,8"] * 2
    node = y.producer()
    assert (node.op_type, node.domain, len(node.inputs)) == ("MultiHeadAttention", CONTRIB, 3)


def test_0_not_where_values_are_of_another_width():
    graph = Graph()
    assert shapes(graph, graph.op("Relu", attention(graph, 4)), dtype=ir.DataType.FLOAT)[0].endswith(",4")


def test_2_3_rows_as_many_as_there_are_steps():
    graph = Graph()
    x = graph.input("x", ir.DataType.FLOAT, ["batch", "sequence", 8])
    table, zero = np.zeros((20, 8), np.float32), np.array([0])
    rows = graph.op("Slice", table, zero, graph.op("Shape", x, start=1, end=2), zero)
    later = graph.op("Slice", table, np.array([1]), graph.op("Shape", x, start=1, end=2), zero)
    sums = [graph.op("Add", x, rows), graph.op("Add", later, x)]
    named, unnamed = shapes(graph, *sums, dtype=ir.DataType.FLOAT)
    assert named == "batch,sequence,8"
    assert "sequence" not in unnamed

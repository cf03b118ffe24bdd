"""Rule 1 of the names of axes: a sort keeps them."""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from kerasllm.export.graph import Graph
from kerasllm.export.passes.axes import name_axes

from ..graphs import ids_input, model_of


def shapes(graph: Graph, *outputs: ir.Value) -> list[str]:
    """The shapes of outputs, int64, after inference and naming."""
    for value in outputs:
        value.type = ir.TensorType(ir.DataType.INT64)
    model = model_of(graph, *outputs)
    common.ShapeInferencePass()(model)
    name_axes(model.graph)
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

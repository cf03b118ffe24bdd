"""Rules 1 to 4 of the nodes that undo one another."""

import numpy as np
import onnx_ir as ir
import pytest

from kerasllm.export.graph import Graph
from kerasllm.export.passes.inverses import cancel_inverses

from ..graphs import float_input, ids_input, model_of, operators, run

X = np.random.default_rng(0).normal(0, 3, (2, 3, 1)).astype(np.float32)


def cancelled(graph: Graph, y: ir.Value, feed: np.ndarray = X, dtype: ir.DataType = ir.DataType.FLOAT) -> list[str]:
    """Applies the rules, holds the result to what it was, and returns the operators that are still read."""
    y.type = ir.TensorType(dtype)
    model = model_of(graph, y)
    before = run(model, feed)
    cancel_inverses(model.graph)
    np.testing.assert_array_equal(run(model, feed)[0], before[0])
    return [
        node.op_type for node in model.graph if any(value.uses() or value.is_graph_output() for value in node.outputs)
    ]


def test_1_transposes_become_one_or_none():
    graph = Graph()
    x = float_input(graph, 2, 3, 1)
    once = graph.op("Transpose", x, perm=[2, 0, 1])
    assert cancelled(graph, graph.op("Transpose", once, perm=[0, 2, 1])) == ["Transpose"]
    graph = Graph()
    once = graph.op("Transpose", float_input(graph, 2, 3, 1), perm=[2, 0, 1])
    assert cancelled(graph, graph.op("Transpose", once, perm=[1, 2, 0])) == ["Identity"]


def test_1_a_transpose_that_others_read_stays():
    graph = Graph()
    once = graph.op("Transpose", float_input(graph, 2, 3, 1), perm=[1, 0, 2])
    back = graph.op("Transpose", graph.op("Identity", once), perm=[1, 0, 2])
    y = graph.op("Add", graph.op("ReduceSum", once), back)
    assert cancelled(graph, y) == ["Transpose", "Identity", "ReduceSum", "Add"]


def test_1_a_transpose_without_an_order_reverses_all():
    graph = Graph()
    y = graph.op("Transpose", graph.op("Transpose", float_input(graph, 2, 3, 1)))
    assert cancelled(graph, y) == ["Transpose", "Transpose"]


@pytest.mark.parametrize(
    ("inner", "outer", "left"),
    [
        (ir.DataType.INT32, ir.DataType.FLOAT, ["Cast", "Cast"]),  # an int64 may not fit
        (ir.DataType.INT64, ir.DataType.FLOAT, ["Identity", "Cast"]),
        (ir.DataType.FLOAT, ir.DataType.INT64, ["Cast", "Cast"]),  # a large one is rounded
        (ir.DataType.BOOL, ir.DataType.INT32, ["Cast", "Cast"]),
    ],
)
def test_2_casts_of_integers(inner, outer, left):
    graph = Graph()
    y = graph.op("Cast", graph.op("Cast", ids_input(graph), to=inner), to=outer)
    ids = np.array([[0, 1, 2**40 + 1, -7]])
    assert cancelled(graph, y, ids, outer) in (left, left[1:])


@pytest.mark.parametrize("inner", [ir.DataType.FLOAT, ir.DataType.INT32, ir.DataType.UINT8])
@pytest.mark.parametrize("outer", [ir.DataType.BOOL, ir.DataType.INT32])
def test_2_casts_of_truth_values(inner, outer):
    graph = Graph()
    truth = graph.describe(graph.op("Greater", float_input(graph, 2, 3, 1), np.float32(0)), (2, 3, 1), "bool")
    y = graph.op("Cast", graph.op("Cast", truth, to=inner), to=outer)
    last = "Identity" if outer == ir.DataType.BOOL else "Cast"
    assert cancelled(graph, y, dtype=outer) == ["Greater", last]


def test_3_not_not():
    graph = Graph()
    truth = graph.op("Greater", float_input(graph, 2, 3, 1), np.float32(0))
    y = graph.op("Not", graph.op("Not", graph.op("Not", truth)))
    assert cancelled(graph, y, dtype=ir.DataType.BOOL).count("Not") == 1


def test_4_squeeze_and_unsqueeze():
    graph = Graph()
    y = graph.op("Unsqueeze", graph.op("Squeeze", float_input(graph, 2, 3, 1), [2]), [2])
    assert cancelled(graph, y) == ["Identity"]
    graph = Graph()
    y = graph.op("Squeeze", graph.op("Unsqueeze", float_input(graph, 2, 3, 1), [1]), [3])
    assert cancelled(graph, y) == ["Unsqueeze", "Squeeze"]
    assert operators(model_of(Graph())) == []

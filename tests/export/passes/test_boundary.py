"""Rules 1 to 5 of the integers at the boundary, each on the smallest graph that shows it."""

import numpy as np
import onnx_ir as ir
import pytest

from kerasllm.export.graph import Graph
from kerasllm.export.passes.boundary import pull_integers

from ..graphs import ids_input, model_of, operators, run

IDS = np.array([[3, 0, 2], [1, 1, 0]])


def cast_ids(graph: Graph, to: ir.DataType = ir.DataType.INT32) -> ir.Value:
    """The int64 graph input as Keras takes it, int32."""
    value = graph.op("Cast", ids_input(graph), to=to)
    return graph.describe(value, (None, None), to.numpy().name)


def pulled(graph: Graph, y: ir.Value, dtype: ir.DataType = ir.DataType.FLOAT) -> list[str]:
    """Applies the rules, holds the result to what it was, and returns the operators that are still read."""
    y.type = ir.TensorType(dtype)
    model = model_of(graph, y)
    before = run(model, IDS)
    pull_integers(model.graph)
    np.testing.assert_array_equal(run(model, IDS)[0], before[0])
    return [
        node.op_type for node in model.graph if any(value.uses() or value.is_graph_output() for value in node.outputs)
    ]


def test_1_a_look_up_takes_the_input():
    graph = Graph()
    assert pulled(graph, graph.op("Gather", np.eye(4, dtype=np.float32), cast_ids(graph))) == ["Gather"]


@pytest.mark.parametrize("comparison", ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"])
@pytest.mark.parametrize("turned", [False, True])
def test_2_a_comparison_with_a_constant_takes_the_input(comparison, turned):
    graph = Graph()
    sides = [cast_ids(graph), graph.constant(1, "int32")]
    y = graph.op(comparison, *(reversed(sides) if turned else sides))
    assert pulled(graph, y, ir.DataType.BOOL) == [comparison]


def test_2_a_comparison_of_two_values_keeps_its_casts():
    graph = Graph()
    ids = cast_ids(graph)
    y = graph.op("Equal", ids, graph.op("Abs", ids))
    assert pulled(graph, y, ir.DataType.BOOL) == ["Cast", "Abs", "Equal"]


@pytest.mark.parametrize("to", [ir.DataType.BOOL, ir.DataType.FLOAT])
def test_3_a_second_cast_takes_the_input(to):
    graph = Graph()
    assert pulled(graph, graph.op("Cast", cast_ids(graph), to=to), to) == ["Cast"]


def test_4_a_shape_is_that_of_the_input():
    graph = Graph()
    assert pulled(graph, graph.op("Shape", cast_ids(graph)), ir.DataType.INT64) == ["Shape"]


def test_5_what_moves_elements_comes_before_the_cast():
    graph = Graph()
    turned = graph.op("Transpose", cast_ids(graph), perm=[1, 0])
    column = graph.op("Unsqueeze", turned, [2])
    y = graph.op("Add", graph.op("Gather", np.eye(4, dtype=np.float32), turned), graph.op("Cast", column, to=1))
    assert pulled(graph, y) == ["Transpose", "Unsqueeze", "Gather", "Cast", "Add"]


def test_5_sorted_ids_are_looked_up_as_they_came():
    graph = Graph()
    order = np.array([[0, 2, 1], [2, 1, 0]])
    picked = graph.op("GatherElements", cast_ids(graph), order, axis=1)
    assert pulled(graph, graph.op("Gather", np.eye(4, dtype=np.float32), picked)) == ["GatherElements", "Gather"]


def test_1_ids_that_are_looked_up_themselves_keep_their_type():
    graph = Graph()
    assert pulled(graph, graph.op("Gather", cast_ids(graph), [1], axis=1), ir.DataType.INT32) == ["Cast", "Gather"]


def test_arithmetic_and_outputs_keep_their_type():
    graph = Graph()
    ids = cast_ids(graph)
    total = graph.op("Add", ids, graph.constant(1, "int32"))
    assert pulled(graph, total, ir.DataType.INT32) == ["Cast", "Add"]
    graph = Graph()
    turned = graph.op("Transpose", cast_ids(graph), perm=[1, 0])
    assert pulled(graph, turned, ir.DataType.INT32) == ["Cast", "Transpose"]


def test_only_the_casts_of_integer_inputs_are_left_out():
    graph = Graph()
    y = graph.op("Gather", np.eye(4, dtype=np.float32), graph.op("Cast", graph.op("Abs", ids_input(graph)), to=6))
    assert pulled(graph, y) == ["Abs", "Cast", "Gather"]
    graph = Graph()
    y = graph.op("Cast", cast_ids(graph, ir.DataType.BOOL), to=1)
    assert pulled(graph, y) == ["Cast", "Cast"]
    assert operators(model_of(Graph())) == []

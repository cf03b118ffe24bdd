"""Rule 1 of the transposes: ids move, not rows."""

import numpy as np
import onnx_ir as ir
import pytest

from kerasllm.export.graph import Graph
from kerasllm.export.passes.transposition import transpose_ids

from ..graphs import ids_input, model_of, operators, run

TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)
IDS = np.array([[3, 0], [1, 1], [2, 3]])


def transposed(graph: Graph, *outputs: ir.Value) -> list[str]:
    """Applies the rule, holds the result to what it was, and returns the operators."""
    model = model_of(graph, *outputs)
    before = run(model, IDS)
    transpose_ids(model.graph)
    for now, then in zip(run(model, IDS), before, strict=True):
        np.testing.assert_array_equal(now, then)
    return operators(model)


def test_1_ids_are_transposed_in_place_of_rows():
    graph = Graph()
    y = graph.op("Transpose", graph.op("Gather", TABLE, ids_input(graph)), perm=[1, 0, 2])
    assert transposed(graph, graph.op("Neg", y)) == ["Transpose", "Gather", "Identity", "Neg"]


@pytest.mark.parametrize("order", [[0, 2, 1], [2, 1, 0]])
def test_1_not_where_rows_are_turned_themselves(order):
    graph = Graph()
    y = graph.op("Transpose", graph.op("Gather", TABLE, ids_input(graph)), perm=order)
    assert transposed(graph, y) == ["Gather", "Transpose"]


def test_1_not_where_others_read_the_rows_as_they_are():
    graph = Graph()
    rows = graph.op("Gather", TABLE, ids_input(graph))
    assert transposed(graph, graph.op("Transpose", rows, perm=[1, 0, 2]), rows) == ["Gather", "Transpose"]


def test_1_not_for_columns():
    graph = Graph()
    y = graph.op("Transpose", graph.op("Gather", TABLE.T, ids_input(graph), axis=1), perm=[1, 0, 2])
    assert transposed(graph, y) == ["Gather", "Transpose"]

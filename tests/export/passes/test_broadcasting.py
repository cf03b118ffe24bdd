"""What is expanded to the shape of the other operand need not be."""

import numpy as np
import pytest

from kerasllm.export.graph import Graph
from kerasllm.export.passes.broadcasting import drop_expansions

from ..graphs import float_input, model_of, run


@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("case", ["its shape", "another shape", "a part of its shape"])
def test_1_the_operand_itself(operator, first, case):
    graph = Graph()
    x = float_input(graph, 2, 3, 3)
    row = np.arange(1, 4, dtype=np.float32)
    like = graph.op("Concat", x, x, axis=0) if case == "another shape" else x
    start = 1 if case == "a part of its shape" else None
    expanded = graph.op("Expand", row, graph.op("Shape", like if case != "another shape" else x, start=start))
    other = graph.op("ReduceMax", x, np.array([0]), keepdims=1) if case == "another shape" else x
    model = model_of(graph, graph.op(operator, *((other, expanded) if first else (expanded, other))))
    arrays = np.random.default_rng(0).normal(2, 1, (2, 3, 3)).astype(np.float32)
    before = run(model, arrays)
    drop_expansions(model.graph)
    np.testing.assert_array_equal(run(model, arrays), before)
    (node,) = (node for node in model.graph if node.op_type == operator)
    reads = [value.producer().op_type for value in node.inputs if value.producer() is not None]
    assert ("Expand" in reads) == (case != "its shape")

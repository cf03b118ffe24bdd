"""Residual additions that are normalised are sums; others stay."""

import numpy as np
import pytest

from kerasllm.export.graph import Graph
from kerasllm.export.passes.residuals import sum_residuals

from ..graphs import float_input, model_of, operators, run


@pytest.mark.parametrize(("case", "expected"), [("residual", "Sum"), ("bias", "Add"), ("not normalised", "Add")])
def test_1_what_is_normalised(case, expected):
    graph = Graph()
    x = float_input(graph, "batch", "sequence", 6)
    y = graph.op("Add", x, np.ones(6, np.float32) if case == "bias" else graph.op("Relu", x))
    if case != "not normalised":
        y = graph.op("LayerNormalization", y, np.ones(6, np.float32), axis=-1)
    model = model_of(graph, y)
    arrays = np.random.default_rng(0).normal(0, 1, (2, 3, 6)).astype(np.float32)
    before = run(model, arrays)
    sum_residuals(model.graph)
    np.testing.assert_array_equal(run(model, arrays), before)
    assert [name for name in operators(model) if name in ("Add", "Sum")] == [expected]

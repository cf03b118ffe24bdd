"""Rules of products: a weighted sum is one, and a bias that is written as one is none."""

import numpy as np
import onnx_ir as ir
import pytest

from kerasllm.export.graph import Graph
from kerasllm.export.passes.products import find_products

from ..graphs import float_input, model_of, operators, run

draw = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return draw.normal(0, 1, shape).astype(np.float32)


def same_without(model: ir.Model, *inputs: np.ndarray) -> list[str]:
    """The operators after the rules, which change no result."""
    before = run(model, *inputs)
    find_products(model.graph)
    for now, then in zip(run(model, *inputs), before, strict=True):
        np.testing.assert_allclose(now, then, rtol=1e-5, atol=1e-5)
    return operators(model)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_1_a_weighted_sum_is_a_product(first, keepdims):
    graph = Graph()
    x = float_input(graph, "batch", "sequence", 6)
    weights = graph.input("w", ir.DataType.FLOAT, ["batch", "sequence", 1])
    y = graph.op("Mul", *((x, weights) if first else (weights, x)))
    model = model_of(graph, graph.op("ReduceSum", y, np.array([1]), keepdims=keepdims))
    found = same_without(model, floats(2, 5, 6), floats(2, 5, 1))
    assert [name for name in found if name != "Mul"] == ["Transpose", "MatMul"] + ["Squeeze"] * (1 - keepdims)


@pytest.mark.parametrize("case", ["another axis", "read twice", "equal widths"])
def test_1_other_sums_stay(case):
    graph = Graph()
    x = float_input(graph, "batch", "sequence", 6)
    weights = graph.input("w", ir.DataType.FLOAT, ["batch", "sequence", 6 if case == "equal widths" else 1])
    y = graph.op("Mul", x, weights)
    total = graph.op("ReduceSum", y, np.array([2 if case == "another axis" else 1]), keepdims=0)
    model = model_of(graph, total, *([y] if case == "read twice" else []))
    assert same_without(model, floats(2, 5, 6), floats(2, 5, 6 if case == "equal widths" else 1)) == [
        "Mul",
        "ReduceSum",
    ]


@pytest.mark.parametrize("case", ["a bias", "the other way round", "may be empty", "of other states"])
def test_2_a_row_for_every_place_is_a_bias(case):
    graph = Graph()
    x = float_input(graph, "batch", "sequence", 6)
    start = 1 if case == "may be empty" else 0
    source = graph.op("Relu", x) if case == "of other states" else x
    part = graph.op("Slice", source, np.array([start, 0]), np.array([start + 1, 1]), np.array([1, 2]))
    ones = graph.op("Expand", np.float32(2), graph.op("Shape", part))
    terms = graph.op("MatMul", x, floats(6, 4)), graph.op("MatMul", ones, floats(1, 4))
    model = model_of(graph, graph.op("Add", *(reversed(terms) if case == "the other way round" else terms)))
    found = same_without(model, floats(2, 5, 6))
    assert found.count("MatMul") == 2  # dead code is another pass's
    (add,) = (node for node in model.graph if node.op_type == "Add")
    rows = [value for value in add.inputs if value.const_value is not None]
    assert len(rows) == (0 if case in ("may be empty", "of other states") else 1)

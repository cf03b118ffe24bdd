"""Weights to int8: small errors, and sums of pairs that int16 holds."""

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kerasllm.export.graph import Graph
from kerasllm.export.quantization.rounding import relative_error, round_factor, round_slices

from ..graphs import model_of, run
from ..parity import examples

matrices = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.floats(-1e3, 1e3, width=32)
)


@examples
@given(weight=matrices, per_column=st.booleans())
def test_no_pair_can_overflow_and_no_element_is_far_off(weight, per_column):
    rounded, scale = round_factor(weight, per_column=per_column)
    assert rounded.dtype == np.int8
    assert rounded.shape == weight.shape
    assert scale.shape == ((weight.shape[1],) if per_column else (1,))
    pairs = rounded[: len(rounded) // 2 * 2].astype(int).reshape(-1, 2, rounded.shape[1]).sum(1)
    assert np.abs(pairs).max(initial=0) <= 128
    peak = np.abs(weight).max(0 if per_column else None)
    assert (np.abs(rounded * scale - weight) <= 0.5 * peak + 1e-6).all()  # two of the largest in a pair give 64 each


@pytest.mark.parametrize(("spread", "bound"), [("normal", 0.010), ("uniform", 0.008), ("laplace", 0.012)])
def test_costs_less_than_seven_bits(spread, bound):
    draw = getattr(np.random.default_rng(0), spread)
    weight = draw(*((-1, 1) if spread == "uniform" else (0, 1)), (128, 64)).astype(np.float32)
    error = relative_error(weight, *round_factor(weight))
    seven_bits = np.abs(weight).max(0) / 63
    assert error < bound
    assert error < relative_error(weight, np.rint(weight / seven_bits), seven_bits)


def test_a_large_factor_is_rounded_block_by_block_to_the_same():
    weight = np.random.default_rng(0).normal(size=(2048, 1100)).astype(np.float32)
    rounded, scale = round_factor(weight)
    some, some_scale = round_factor(weight[:, 1000:1005])
    np.testing.assert_array_equal(rounded[:, 1000:1005], some)
    np.testing.assert_array_equal(scale[1000:1005], some_scale)


@pytest.mark.parametrize("rows", [1, 3, 32])
def test_integer_products_are_exact_on_this_cpu(rows):
    rng = np.random.default_rng(rows)
    weight = rng.uniform(-1, 1, (127, 33)).astype(np.float32)
    weight[:, :5] = np.sign(weight[:, :5])  # the worst there is
    rounded, _ = round_factor(weight)
    graph = Graph()
    x = graph.input("x", ir.DataType.UINT8, ["rows", 127])
    product = graph.op("MatMulInteger", x, rounded)
    product.type = ir.TensorType(ir.DataType.INT32)
    activations = np.where(rng.random((rows, 127)) < 0.8, 255, 0).astype(np.uint8)
    (result,) = run(model_of(graph, product), activations)
    np.testing.assert_array_equal(result, activations.astype(int) @ rounded.astype(int))


@examples
@given(weight=matrices)
def test_rows_are_within_half_a_step(weight):
    rounded, scale = round_slices(weight, (1,))
    assert scale.shape == (len(weight), 1)
    assert (np.abs(rounded * scale - weight) <= scale * 0.501).all()


def test_zeros_stay_zeros():
    weight = np.zeros((4, 3), np.float32)
    for rounded, scale in (round_factor(weight), round_factor(weight, per_column=False), round_slices(weight, (1,))):
        assert not rounded.any()
        assert (scale > 0).all()
    assert relative_error(weight, weight, np.ones(3)) == 0

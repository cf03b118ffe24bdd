"""Reductions over any axes, of any type."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from ..parity import assert_parity, examples, numbers

ALL = "sum mean max min amax amin prod any all argmax argmin var std logsumexp count_nonzero"
SAMPLE = np.round(numbers(2, 3, 4)) + np.float32(0)  # with equal values, and zeros of one sign


@pytest.mark.parametrize("name", ALL.split())
@examples
@given(
    dtype=st.sampled_from(["float32", "int32", "bool"]),
    axis=st.sampled_from([None, 0, 1, -1, (1, 2), (0, -1)]),
    keepdims=st.booleans(),
)
def test_reductions(name, dtype, axis, keepdims):
    if name in ("argmax", "argmin") and isinstance(axis, tuple):
        axis = axis[0]
    if dtype == "bool" and name in ("amax", "amin", "max", "min", "logsumexp", "argmax", "argmin"):
        dtype = "float32"
    if name == "logsumexp" and dtype == "int32":
        dtype = "float32"
    x = keras.Input((3, 4), dtype=dtype)
    options = {} if name == "count_nonzero" else {"keepdims": keepdims}
    assert_parity(keras.Model(x, getattr(ops, name)(x, axis=axis, **options)), SAMPLE.astype(dtype), tolerance=1e-4)


def test_logsumexp_of_large_numbers_does_not_overflow():
    x = keras.Input((4,))
    assert_parity(keras.Model(x, ops.logsumexp(x, axis=-1)), numbers(3, 4) * 500)


@pytest.mark.parametrize("axis", [-1, (1, 2), 0])
def test_norms(axis):
    x = keras.Input((3, 4))
    z = [ops.norm(x, axis=axis), ops.norm(x, axis=axis, keepdims=True)]
    assert_parity(keras.Model(x, z), numbers(2, 3, 4))


def test_a_norm_of_another_order_goes_through_tf2onnx():
    x = keras.Input((3, 4))
    assert_parity(keras.Model(x, ops.norm(x, ord=1, axis=-1)), numbers(2, 3, 4))


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
@pytest.mark.parametrize("axis", [1, -1, None])
def test_running_sums(dtype, axis):
    x = keras.Input((3, 4), dtype=dtype)
    assert_parity(keras.Model(x, ops.cumsum(x, axis=axis)), SAMPLE.astype(dtype))


def test_top_k_takes_the_first_of_equals():
    x = keras.Input((6,))
    assert_parity(keras.Model(x, list(ops.top_k(x, 3))), np.array([[1, 3, 3, 0, 2, 2], [5, 5, 5, 5, 5, 5]], np.float32))

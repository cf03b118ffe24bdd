"""Arithmetic: every operation, on every pair of types, gives Keras's numbers in Keras's types."""

import keras
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from keras import ops

from kerasllm.export.compiler import lower_model

from ..parity import assert_parity, examples, numbers

DTYPES = ["float32", "int32", "int64", "bool"]
NOT_OF_BOOLEANS = ("add", "subtract", "multiply", "power", "maximum", "minimum", "floor_divide", "mod")


def sample(dtype: str, seed: int) -> np.ndarray:
    """No zeros but for booleans, so that everything divides."""
    values = numbers(3, 4, seed=seed)
    if dtype == "float32":
        return values
    if dtype == "bool":
        return values > 0
    return (np.sign(values) * (1 + np.abs(np.round(values)))).astype(dtype)


@pytest.mark.parametrize("name", [*NOT_OF_BOOLEANS, "divide", "true_divide", "divide_no_nan"])
@examples
@given(first=st.sampled_from(DTYPES[:3]), second=st.sampled_from([*DTYPES[:3], 2, -3, 0.5, -1.5]))
def test_binary_operations_promote_as_keras_does(name, first, second):
    x, y = keras.Input((4,), dtype=first), keras.Input((4,), dtype=second if isinstance(second, str) else "float32")
    a, b = sample(first, 0), sample(second if isinstance(second, str) else "float32", 1)
    if name == "power":
        a, b = np.abs(a), np.abs(b)
        second = second if isinstance(second, str) else abs(second)
    z = getattr(ops, name)(x, y if isinstance(second, str) else second)
    assert_parity(keras.Model([x, y], z), a, b, tolerance=1e-4)


@pytest.mark.parametrize("name", ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"])
@examples
@given(first=st.sampled_from(DTYPES[:3]), second=st.sampled_from([*DTYPES[:3], 1, 1.5]))
def test_comparisons_promote_as_keras_does(name, first, second):
    x, y = keras.Input((4,), dtype=first), keras.Input((4,), dtype=second if isinstance(second, str) else "int32")
    a, b = np.round(sample(first, 0)), np.round(sample(second if isinstance(second, str) else "int32", 1))
    assert_parity(keras.Model([x, y], getattr(ops, name)(x, y if isinstance(second, str) else second)), a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_logic_takes_anything_that_is_not_zero_for_true(dtype):
    x, y = keras.Input((4,), dtype=dtype), keras.Input((4,), dtype="bool")
    z = [ops.logical_and(x, y), ops.logical_or(x, y), ops.logical_xor(x, y), ops.logical_not(x)]
    a = sample(dtype, 0) * (np.arange(4) > 1)
    assert_parity(keras.Model([x, y], z), a.astype(dtype), sample("bool", 1))


@examples
@example(first="bool", second="bool")
@given(first=st.sampled_from(DTYPES), second=st.sampled_from([*DTYPES, 0, 1.5]))
def test_where_promotes_its_two_branches(first, second):
    x, y = keras.Input((4,), dtype=first), keras.Input((4,), dtype=second if isinstance(second, str) else "int32")
    z = ops.where(x > 0 if first != "bool" else x, x, y if isinstance(second, str) else second)
    assert_parity(keras.Model([x, y], z), sample(first, 0), sample(second if isinstance(second, str) else "int32", 1))


REAL = (
    "exp sqrt rsqrt log log2 log10 log1p expm1 reciprocal sin cos tanh sinh cosh arctan arcsinh erf erfc "
    "isnan isinf isfinite"
)


@pytest.mark.parametrize("name", REAL.split())
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_functions_of_a_real_number_take_integers_in_float32(name, dtype):
    if dtype == "int32" and name in ("erf", "erfc", "rsqrt", "reciprocal"):
        return  # Keras on TensorFlow does not have them
    x = keras.Input((4,), dtype=dtype)
    assert_parity(keras.Model(x, getattr(ops, name)(x)), np.abs(sample(dtype, 0)))


@pytest.mark.parametrize("name", ["absolute", "negative", "sign", "square"])
@pytest.mark.parametrize("dtype", ["float32", "int32", "int64"])
def test_functions_that_keep_the_type(name, dtype):
    x = keras.Input((4,), dtype=dtype)
    assert_parity(keras.Model(x, getattr(ops, name)(x)), sample(dtype, 0))


def test_rounding_takes_halves_to_even():
    x = keras.Input((4,))
    halves = np.array([[-1.5, -0.5, 0.5, 2.5], [0.2, 0.7, -0.2, -0.7]], np.float32)
    assert_parity(keras.Model(x, [ops.round(x), ops.floor(x), ops.ceil(x), ops.round(x, decimals=1)]), halves)


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_clip_keeps_the_type(dtype):
    x = keras.Input((4,), dtype=dtype)
    assert_parity(keras.Model(x, ops.clip(x, -1, 2)), sample(dtype, 0))


@pytest.mark.parametrize("source", DTYPES)
@pytest.mark.parametrize("target", [*DTYPES, "float64", "int8"])
def test_cast_between_types(source, target):
    x = keras.Input((4,), dtype=source)
    assert_parity(keras.Model(x, ops.cast(x, target)), sample(source, 0))


def test_the_operators_of_python():
    x = keras.Input((4,))
    z = [-x, abs(x), x + 1, 1 - x, x * 2, 1 / x, x // 2, x % 3, x**2, x > 0, (x > 0) & (x < 1), ~(x > 0)]
    assert_parity(keras.Model(x, z), numbers(3, 4))


def test_an_operation_that_keeps_its_value_costs_nothing():
    x = keras.Input((4,))
    model = keras.Model(x, ops.stop_gradient(ops.cast(ops.convert_to_tensor(x), "float32")) + 1)
    assert [node.op_type for node in lower_model(model).graph] == ["Add"]

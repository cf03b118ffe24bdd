"""Indexing: any key that Python can write, and gathers."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

from ..parity import assert_parity, examples, numbers, ragged

LIMITS = st.one_of(st.none(), st.integers(-6, 6))
SLICES = st.builds(slice, LIMITS, LIMITS, st.one_of(st.none(), st.integers(1, 3), st.integers(-2, -1)))
KEYS = st.one_of(st.integers(-3, 2), SLICES)


@examples
@given(
    keys=st.lists(KEYS, min_size=1, max_size=3),
    places=st.lists(st.integers(0, 3), max_size=2),
    dots=st.one_of(st.none(), st.integers(0, 3)),
)
def test_any_key(keys, places, dots):
    keys = list(keys)
    if dots is not None:
        keys.insert(min(dots, len(keys)), Ellipsis)
    for place in places:
        keys.insert(min(place, len(keys)), None)
    x = keras.Input((3, 5))
    data = numbers(4, 3, 5)
    try:
        z = x[tuple(keys)]
    except ValueError:  # Keras will not have it
        return
    expected = data[tuple(keys)]
    if 0 in expected.shape:
        return
    assert_parity(keras.Model(x, z), data)


@pytest.mark.parametrize("key", [0, -1, np.s_[1:, 2], np.s_[:, :-1], np.s_[:, ::-1], np.s_[:, -1], np.s_[..., None]])
def test_keys_on_a_sequence_of_unknown_length(key):
    x = keras.Input((None, 4))
    assert_parity(keras.Model(x, x[key]), numbers(3, 5, 4))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_take(axis):
    x, i = keras.Input((3, 4)), keras.Input((2,), dtype="int32")
    indices = np.array([[0, -1], [1, 2], [0, 0]], np.int32)
    assert_parity(keras.Model([x, i], ops.take(x, i, axis=axis)), numbers(3, 3, 4), indices)


def test_take_from_a_constant_table():
    ids = keras.Input((None,), dtype="int32")
    assert_parity(keras.Model(ids, ops.take(ops.convert_to_tensor(numbers(10, 3)), ids, axis=0)), ragged())


def test_take_along_axis():
    x, i = keras.Input((4,)), keras.Input((2,), dtype="int32")
    z = [ops.take_along_axis(x, i, axis=1), ops.take_along_axis(x, ops.expand_dims(ops.argmax(x, -1), -1), axis=-1)]
    assert_parity(keras.Model([x, i], z), numbers(3, 4), np.array([[0, -1], [1, 2], [3, 3]], np.int32))


@examples
@given(axis=st.sampled_from([-1, 0, 1]), dtype=st.sampled_from([None, "int32", "bool"]))
def test_one_hot_of_what_is_no_class_is_nothing(axis, dtype):
    x = keras.Input((4,), dtype="int32")
    z = ops.one_hot(x, 3, axis=axis, dtype=dtype)
    assert_parity(keras.Model(x, z), np.array([[0, 1, 2, 3], [-1, -3, 5, 0]], np.int32))


def test_arange_and_positions_of_an_unknown_length():
    class Positions(layers.Layer):
        """Adds to each token its place in the sequence."""

        def call(self, x):
            length = ops.shape(x)[1]
            return x + ops.cast(ops.expand_dims(ops.arange(length), -1), x.dtype) + ops.ones((length, 1))

    x = keras.Input((None, 4))
    assert_parity(keras.Model(x, Positions()(x)), numbers(3, 5, 4))

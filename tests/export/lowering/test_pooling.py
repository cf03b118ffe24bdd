"""Pooling, over windows and over whole sequences, masked or not."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from ..parity import assert_parity, examples, numbers, operators, ragged, randomize


@examples
@given(
    kind=st.sampled_from([layers.MaxPooling1D, layers.AveragePooling1D]),
    length=st.sampled_from([None, 7]),
    window=st.integers(1, 4),
    stride=st.sampled_from([None, 1, 2, 3]),
    padding=st.sampled_from(["valid", "same"]),
)
def test_windows(kind, length, window, stride, padding):
    x = keras.Input((length, 4))
    assert_parity(keras.Model(x, kind(window, strides=stride, padding=padding)(x)), numbers(2, 7, 4))


@pytest.mark.parametrize("kind", [layers.MaxPooling2D, layers.AveragePooling2D])
def test_windows_over_two_axes(kind):
    x = keras.Input((None, 6, 3))
    assert_parity(keras.Model(x, kind((2, 3), padding="same")(x)), numbers(2, 5, 6, 3))


@examples
@given(
    kind=st.sampled_from([layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D]),
    keepdims=st.booleans(),
    first=st.booleans(),
)
def test_whole_sequences(kind, keepdims, first):
    x = keras.Input((None, 4))
    layer = kind(keepdims=keepdims, data_format="channels_first" if first else "channels_last")
    shape = (4, None) if first else (None, 4)
    x = keras.Input(shape)
    assert_parity(keras.Model(x, layer(x)), numbers(2, 4, 6) if first else numbers(2, 6, 4))


@pytest.mark.parametrize("keepdims", [False, True])
def test_the_mean_of_a_masked_sequence_leaves_padding_out(keepdims):
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, 4, mask_zero=True)(ids)
    model = randomize(keras.Model(ids, layers.GlobalAveragePooling1D(keepdims=keepdims)(x)))
    with np.errstate(invalid="ignore"):
        assert_parity(model, ragged())  # the row of padding alone is 0 / 0 in Keras, and here


def test_a_global_pooling_is_one_operator():
    x = keras.Input((None, 4))
    assert operators(assert_parity(keras.Model(x, layers.GlobalMaxPooling1D()(x)), numbers(2, 6, 4))) == ["ReduceMax"]

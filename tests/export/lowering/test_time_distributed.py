"""One layer at every step."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from ..parity import assert_parity, examples, numbers, operators, randomize


def nested():
    x = keras.Input((4,))
    return keras.Model(x, layers.Dense(2)(layers.Dropout(0.5)(layers.Dense(3, activation="relu")(x))))


INNER = {
    "dense": lambda: layers.Dense(3, activation="tanh"),
    "normalization": layers.LayerNormalization,
    "batch normalization": layers.BatchNormalization,
    "reshape": lambda: layers.Reshape((2, 2)),
    "model": nested,
}


@pytest.mark.parametrize("inner", INNER)
@examples
@given(batch=st.integers(1, 4), steps=st.integers(1, 5), static=st.booleans())
def test_any_layer(inner, batch, steps, static):
    x = keras.Input((steps if static else None, 4))
    model = randomize(keras.Model(x, layers.TimeDistributed(INNER[inner]())(x)))
    lowered = assert_parity(model, numbers(batch, steps, 4))
    assert not {"Loop", "Scan"} & set(operators(lowered))


def test_a_mask_goes_to_a_layer_that_takes_one():
    words = keras.Input((None, 5), dtype="int32")  # characters of words
    x = layers.TimeDistributed(layers.Embedding(9, 4))(words)
    mask = keras.ops.not_equal(words, 0)
    x = layers.TimeDistributed(layers.Bidirectional(layers.LSTM(3)))(x, mask=mask)
    model = randomize(keras.Model(words, layers.GRU(2)(x, mask=keras.ops.any(mask, axis=-1))))
    rng = np.random.default_rng(0)
    assert_parity(model, (rng.integers(1, 9, (3, 4, 5)) * rng.integers(0, 2, (3, 4, 5))).astype("int32"))


def test_it_passes_the_mask_on():
    x = keras.Input((None, 4))
    y = layers.TimeDistributed(layers.Dense(3))(layers.Masking()(x))
    values = numbers(3, 5, 4)
    values[0, 3:] = values[1, :2] = values[2, 1:3] = 0
    assert_parity(randomize(keras.Model(x, layers.LSTM(2, return_sequences=True)(y))), values)

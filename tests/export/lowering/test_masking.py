"""Masking: what it hides stays hidden, in the layer's own output and in what reads the mask."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from ..parity import assert_parity, examples, numbers, randomize


@examples
@given(
    mask_value=st.sampled_from([0.0, -1.0, 2.5]),
    hidden=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=4),
)
def test_any_steps_may_be_hidden(mask_value, hidden):
    x = keras.Input((None, 3))
    y = layers.Masking(mask_value)(x)
    model = randomize(keras.Model(x, [y, layers.LSTM(2, return_sequences=True)(y), layers.GRU(2)(y)]))
    values = numbers(len(hidden), 4, 3)
    values[np.array(hidden)] = mask_value
    values[0, 0, 0] = mask_value  # one equal value among others hides nothing
    assert_parity(model, values)


@pytest.mark.parametrize("layer", [layers.Dense(3), layers.LayerNormalization(), layers.Activation("tanh")])
def test_layers_between_pass_the_mask_on(layer):
    x = keras.Input((None, 3))
    values = numbers(3, 4, 3)
    values[0, 2:] = values[1, 0] = values[2, 1] = 0
    assert_parity(randomize(keras.Model(x, layers.GRU(2)(layer(layers.Masking()(x))))), values)

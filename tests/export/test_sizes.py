"""Sizes known at run time only, as `call` of a layer computes with them."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasllm.export.sizes import sizes_known_later

from .parity import assert_parity, numbers, operators


class Computing(layers.Layer):
    """Computes with the size of its input."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, x):
        return self.function(x, *ops.shape(x))


def swapped(x, batch, length, width):
    return ops.reshape(ops.transpose(x, (1, 0, 2)), (length, batch, width))


FUNCTIONS = {
    "copied": lambda x, batch, length, width: ops.reshape(x, (batch, length, 2, width // 2)),
    "left": lambda x, batch, length, width: ops.reshape(x, (batch, length * width)),
    "of another tensor": swapped,
    "ones": lambda x, batch, length, width: ops.ones((length, 1)) * x,
    "zeros": lambda x, batch, length, width: ops.zeros((batch, 1, width), dtype="int32") + ops.cast(x, "int32"),
    "arange": lambda x, batch, length, width: ops.cast(ops.arange(length), x.dtype)[:, None] * x,
    "arange from": lambda x, batch, length, width: ops.cast(ops.arange(1, length + 1, 1), x.dtype)[:, None] * x,
    "broadcast": lambda x, batch, length, width: ops.broadcast_to(ops.sum(x, 1, keepdims=True), (batch, length, width)),
    "mean": lambda x, batch, length, width: ops.sum(x, 1) / ops.cast(length, x.dtype),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_size_is_a_number_of_the_graph(name):
    x = keras.Input((None, 4))
    model = keras.Model(x, Computing(FUNCTIONS[name])(x))
    for rows, length in ((2, 3), (1, 1), (3, 5)):
        lowered = assert_parity(model, numbers(rows, length, 4))
    assert "Loop" not in operators(lowered)


def test_a_size_at_its_own_place_is_copied_by_the_reshape_itself():
    x = keras.Input((None, 4))
    lowered = assert_parity(keras.Model(x, Computing(FUNCTIONS["copied"])(x)), numbers(2, 3, 4))
    assert operators(lowered) == ["Reshape"]


def test_known_sizes_stay_numbers_and_keras_is_left_as_it_was():
    before = ops.shape, ops.reshape, ops.arange
    with sizes_known_later():
        assert ops.shape(keras.Input(batch_shape=(2, 3))) == (2, 3)
        assert ops.shape(np.ones((2, 3))) == (2, 3)
        assert ops.arange(3).shape == (3,)
        assert ops.ones((2,)).shape == (2,)
    assert (ops.shape, ops.reshape, ops.arange) == before

"""Position embeddings: beside tokens, alone, from a later start, and by given positions."""

import keras
import numpy as np
import pytest
from keras_hub import layers

from kerasllm.export.passes import optimise

from ..parity import assert_parity, numbers, operators, randomize


@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("portable", [False, True])
def test_alone_and_added(start, portable):
    x = keras.Input((None, 4))
    rows = layers.PositionEmbedding(8)(x, start_index=start)
    model = randomize(keras.Model(x, [rows, x + rows]))
    lowered = assert_parity(model, numbers(3, 5, 4), portable=portable)
    assert "Expand" in operators(optimise(lowered))  # for the output that is the rows alone


def test_added_only_they_are_not_copied():
    x = keras.Input((None, 4))
    model = randomize(keras.Model(x, layers.PositionEmbedding(8)(x) + x))
    assert operators(optimise(assert_parity(model, numbers(3, 5, 4)))) == ["Shape", "Slice", "Add"]


def test_given_positions():
    x, positions = keras.Input((None, 4)), keras.Input((None,), dtype="int32")
    model = randomize(keras.Model([x, positions], layers.PositionEmbedding(8)(x, positions=positions)))
    assert_parity(model, numbers(2, 3, 4), np.array([[0, 7, 1], [2, 2, 2]], np.int32))


def test_with_tokens():
    ids = keras.Input((None,), dtype="int32")
    model = randomize(keras.Model(ids, layers.TokenAndPositionEmbedding(10, 8, 4)(ids)))
    found = operators(optimise(assert_parity(model, np.array([[1, 2, 3], [9, 0, 0]], np.int32))))
    assert sorted(found) == ["Add", "Gather", "Shape", "Slice"]

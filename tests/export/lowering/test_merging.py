"""Layers that merge tensors: in Keras their masks change what they compute."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from ..parity import assert_parity, examples, numbers, ragged, randomize

MERGES = [layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum]


@examples
@given(kind=st.sampled_from([*MERGES, layers.Concatenate]), count=st.integers(2, 3))
def test_merging(kind, count):
    inputs = [keras.Input((None, 4)) for _ in range(2 if kind is layers.Subtract else count)]
    model = keras.Model(inputs, kind()(inputs))
    assert_parity(model, *(numbers(2, 5, 4, seed=seed) for seed in range(len(inputs))))


@pytest.mark.parametrize("kind", MERGES)
def test_merging_of_different_ranks(kind):
    x, y = keras.Input((3, 4)), keras.Input((4,))
    assert_parity(keras.Model([x, y], kind()([x, y])), numbers(2, 3, 4), numbers(2, 4, seed=1))


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_concatenation_along(axis):
    x, y = keras.Input((3, 4)), keras.Input((3, 4))
    assert_parity(keras.Model([x, y], layers.Concatenate(axis)([x, y])), numbers(2, 3, 4), numbers(2, 3, 4, seed=1))


@pytest.mark.parametrize("kind", [*MERGES, layers.Concatenate])
@pytest.mark.parametrize("masks", [(True, True), (True, False), (False, True)])
def test_masks_are_merged_and_change_the_values(kind, masks):
    first, second = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    x, y = (layers.Embedding(10, 4, mask_zero=masked)(ids) for ids, masked in zip((first, second), masks, strict=True))
    merged = kind()([x, y])
    model = keras.Model([first, second], [merged, layers.GlobalAveragePooling1D()(merged)])
    with np.errstate(invalid="ignore"):
        assert_parity(randomize(model), ragged(), ragged(seed=1))

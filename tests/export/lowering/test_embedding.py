"""Embeddings, whatever their table is stored as and whatever type their ids have."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from ..parity import assert_parity, examples, operators, ragged, randomize


@examples
@given(
    vocabulary=st.integers(10, 20),
    width=st.integers(1, 6),
    dtype=st.sampled_from(["int32", "int64", "uint8", "float32"]),
    mask_zero=st.booleans(),
    rank=st.integers(1, 3),
)
def test_random_configurations(vocabulary, width, dtype, mask_zero, rank):
    ids = keras.Input((3,) * (rank - 1), dtype=dtype)
    model = keras.Model(ids, layers.Embedding(vocabulary, width, mask_zero=mask_zero)(ids))
    values = np.random.default_rng(rank).integers(0, 10, (4,) + (3,) * (rank - 1))
    assert_parity(randomize(model), values.astype(dtype))


def test_its_mask_reaches_the_layers_after_it():
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, 4, mask_zero=True)(ids)
    model = keras.Model(ids, [layers.GlobalAveragePooling1D()(x), layers.LSTM(3)(x), layers.GRU(3)(x[:, ::-1])])
    tokens = ragged()[:-1]  # Keras's masked mean of no token is not a number
    assert_parity(randomize(model), tokens)
    assert_parity(model, tokens[:, ::-1].copy())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's quantize, under NumPy 2
@pytest.mark.parametrize("kind", ["int8", "int4", "lora"])
def test_a_table_that_is_stored_in_another_way(kind):
    ids = keras.Input((None,), dtype="int32")
    embedding = layers.Embedding(10, 8)
    model = randomize(keras.Model(ids, embedding(ids)))
    if kind == "lora":
        embedding.enable_lora(2)
        randomize(model, seed=1)
    else:
        embedding.quantize(kind)
    assert operators(assert_parity(model, ragged())).count("Gather") == 1


def test_a_shared_table_is_stored_once():
    ids, others = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embedding = layers.Embedding(10, 4)
    model = randomize(keras.Model([ids, others], [embedding(ids), embedding(others)]))
    lowered = assert_parity(model, ragged(), ragged(seed=1))
    assert [value.shape for value in lowered.graph.initializers.values()] == [(10, 4)]

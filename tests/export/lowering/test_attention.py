"""Attention layers with every mask: of queries, values and keys, causal, given, and rows with all keys masked."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

from ..parity import assert_parity, examples, numbers, operators, ragged, randomize


@examples
@given(
    kind=st.sampled_from([layers.Attention, layers.AdditiveAttention]),
    scale=st.booleans(),
    concat=st.booleans(),
    key=st.booleans(),
    masked=st.booleans(),
    causal=st.booleans(),
    scores=st.booleans(),
)
def test_attention(kind, scale, concat, key, masked, causal, scores):
    q, v, k = keras.Input((None, 4)), keras.Input((None, 4)), keras.Input((None, 4))
    q_ids, v_ids = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    options = {"score_mode": "concat"} if kind is layers.Attention and concat else {}
    y = kind(use_scale=scale, **options)(
        [q, v, k] if key else [q, v],
        mask=[ops.not_equal(q_ids, 0), ops.not_equal(v_ids, 0)] if masked else None,
        return_attention_scores=scores,
        use_causal_mask=causal,
    )
    model = keras.Model([q, v, k, q_ids, v_ids], y)
    values = [numbers(4, 6, 4), numbers(4, 5, 4, seed=1), numbers(4, 5, 4, seed=2)]
    assert_parity(randomize(model), *values, ragged(length=6), ragged())


@examples
@given(
    heads=st.integers(1, 3),
    value_dim=st.sampled_from([None, 5]),
    output_shape=st.sampled_from([None, 3, (2, 3)]),
    bias=st.booleans(),
    dropout=st.sampled_from([0.0, 0.1]),
    key=st.booleans(),
    given_mask=st.booleans(),
    causal=st.booleans(),
    scores=st.booleans(),
)
def test_multi_head_attention(heads, value_dim, output_shape, bias, dropout, key, given_mask, causal, scores):
    q, v, k = keras.Input((None, 4)), keras.Input((None, 6)), keras.Input((None, 6))
    mask = keras.Input((None, None), dtype="bool")
    layer = layers.MultiHeadAttention(
        heads, 4, value_dim=value_dim, output_shape=output_shape, use_bias=bias, dropout=dropout
    )
    y = layer(
        q,
        v,
        key=k if key else None,
        attention_mask=mask if given_mask else None,
        use_causal_mask=causal,
        return_attention_scores=scores,
    )
    keep = numbers(2, 6, 5, seed=3) > 0
    keep[0, 1] = False  # a query with no key at all
    model = keras.Model([q, v, k, mask], y)
    arrays = [numbers(2, 6, 4), numbers(2, 5, 6, seed=1), numbers(2, 5, 6, seed=2), keep]
    assert_parity(randomize(model), *arrays, tolerance=2e-5)


@examples
@given(causal=st.booleans(), window=st.sampled_from([None, 2]), gate=st.booleans(), dropout=st.sampled_from([0.0, 0.1]))
def test_self_attention_takes_the_mask_that_its_input_carries(causal, window, gate, dropout):
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, 4, mask_zero=True)(ids)
    layer = layers.MultiHeadAttention(2, 3, sliding_window=window, use_gate=gate, dropout=dropout)
    y = layer(x, x, use_causal_mask=causal)
    model = keras.Model(ids, [y, layers.Add()([x, y]), layers.GlobalMaxPooling1D()(layers.LayerNormalization()(x + y))])
    assert_parity(randomize(model), ragged(), tolerance=2e-5)


def test_the_mask_goes_on_after_attention():
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, 4, mask_zero=True)(ids)
    y = layers.MultiHeadAttention(2, 3)(x, x)
    model = keras.Model(
        ids, [layers.GlobalAveragePooling1D()(y), layers.GlobalAveragePooling1D()(layers.Add()([x, y]))]
    )
    with np.errstate(invalid="ignore"):
        assert_parity(randomize(model), ragged())


@pytest.mark.parametrize("axes", [(2,), (1, 2), -1])
def test_attention_over_other_axes(axes):
    x = keras.Input((3, 5, 4))
    model = keras.Model(x, layers.MultiHeadAttention(2, 3, attention_axes=axes)(x, x))
    assert_parity(randomize(model), numbers(2, 3, 5, 4), tolerance=2e-5)


@pytest.mark.filterwarnings("ignore:.*does not support masking")
@examples
@given(groups=st.sampled_from([(4, 2), (4, 1), (2, 2)]), causal=st.booleans(), masked=st.booleans(), bias=st.booleans())
def test_grouped_query_attention(groups, causal, masked, bias):
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, 4, mask_zero=masked)(ids)
    layer = layers.GroupQueryAttention(3, *groups, use_bias=bias)
    assert_parity(randomize(keras.Model(ids, layer(x, x, use_causal_mask=causal))), ragged(), tolerance=2e-5)


def test_projections_are_products_of_matrices():
    x = keras.Input((None, 4))
    lowered = assert_parity(randomize(keras.Model(x, layers.MultiHeadAttention(2, 3)(x, x))), numbers(2, 5, 4))
    assert operators(lowered) == ["MatMul", "Add"] * 3 + ["MultiHeadAttention", "MatMul", "Add"]


def test_the_function():
    q, k = keras.Input((None, 4, 3)), keras.Input((None, 2, 3))
    bias = keras.Input((4, None, None))
    z = ops.dot_product_attention(q, k, k, bias=bias, scale=0.5, is_causal=True)
    arrays = [numbers(2, 5, 4, 3), numbers(2, 6, 2, 3, seed=1), numbers(2, 4, 5, 6, seed=2)]
    assert_parity(keras.Model([q, k, bias], z), *arrays)


@pytest.mark.parametrize("shape", [(1, 5, 5), (1, 1, 5), (2, 5, 1), (5, 5)])
def test_masks_that_are_broadcast(shape):
    x, mask = keras.Input((5, 4), batch_size=2), keras.Input(shape[1:], batch_size=shape[0], dtype="bool")
    model = keras.Model([x, mask], layers.MultiHeadAttention(2, 3)(x, x, attention_mask=mask))
    assert_parity(randomize(model), numbers(2, 5, 4), numbers(*shape, seed=1) > -1, tolerance=2e-5)

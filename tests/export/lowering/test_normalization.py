"""Normalization over any axes, with and without parameters."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from ..parity import assert_parity, examples, numbers, operators, ragged, randomize


def check(layer, shape=(3, 4), tolerance=2e-5):
    x = keras.Input(shape)
    return assert_parity(randomize(keras.Model(x, layer(x))), numbers(2, *shape), tolerance=tolerance)


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling")
@examples
@given(
    axis=st.sampled_from([-1, 1, (1, 2), (-2, -1)]),
    center=st.booleans(),
    scale=st.booleans(),
    rms=st.booleans(),
    epsilon=st.sampled_from([1e-3, 1e-12, 0.5]),
)
def test_layer_normalization(axis, center, scale, rms, epsilon):
    check(layers.LayerNormalization(axis=axis, center=center, scale=scale, rms_scaling=rms, epsilon=epsilon))


@examples
@given(axis=st.sampled_from([-1, (1, 2)]), epsilon=st.sampled_from([1e-6, 0.5]))
def test_rms_normalization(axis, epsilon):
    check(layers.RMSNormalization(axis=axis, epsilon=epsilon))


@examples
@given(
    axis=st.sampled_from([-1, 1]),
    center=st.booleans(),
    scale=st.booleans(),
    epsilon=st.sampled_from([1e-3, 0.5]),
)
def test_batch_normalization(axis, center, scale, epsilon):
    lowered = check(layers.BatchNormalization(axis=axis, center=center, scale=scale, epsilon=epsilon))
    assert operators(lowered) == ["Mul", "Add"]


def test_batch_normalization_takes_no_heed_of_a_mask():
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, 4, mask_zero=True)(ids)
    assert_parity(randomize(keras.Model(ids, layers.BatchNormalization()(x))), ragged())


@pytest.mark.parametrize("groups", [1, 2, -1])
def test_group_normalization(groups):
    check(layers.GroupNormalization(groups=groups))


@pytest.mark.parametrize("axis", [-1, 1, (1, 2)])
def test_unit_normalization(axis):
    check(layers.UnitNormalization(axis=axis))


def test_layer_normalization_is_one_operator():
    assert operators(check(layers.LayerNormalization())) == ["LayerNormalization"]


def test_functions():
    x = keras.Input((3, 4))
    z = [keras.ops.normalize(x, axis=-1), keras.ops.normalize(x * 0, axis=-1), keras.ops.normalize(x, order=1)]
    z += list(keras.ops.moments(x, axes=[1]))
    assert_parity(keras.Model(x, z), numbers(2, 3, 4))

"""Activations: each one that Keras has a name for, alone and inside a layer."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from ..parity import assert_parity, examples, numbers, operators, randomize

NAMES = (
    "relu relu6 elu selu celu gelu silu swish sigmoid hard_sigmoid hard_silu hard_swish tanh softplus softsign softmax "
    "log_softmax exponential mish leaky_relu linear glu squareplus sparse_plus sparse_sigmoid tanh_shrink hard_tanh "
    "hard_shrink soft_shrink log_sigmoid"
)
SPREAD = np.linspace(-7, 7, 24, dtype=np.float32).reshape(3, 8)


@pytest.mark.parametrize("name", NAMES.split())
def test_every_named_activation(name):
    x = keras.Input((8,))
    assert_parity(keras.Model(x, layers.Activation(name)(x)), SPREAD)


@pytest.mark.parametrize(("name", "operator"), [("gelu", "Gelu"), ("hard_silu", "HardSwish"), ("elu", "Elu")])
def test_one_operator_where_onnx_has_it(name, operator):
    x = keras.Input((8,))
    assert operators(assert_parity(keras.Model(x, layers.Activation(name)(x)), SPREAD)) == [operator]


def test_activations_with_parameters():
    x = keras.Input((8,))
    z = [
        keras.activations.gelu(x, approximate=True),
        keras.activations.threshold(x, 1.0, -2.0),
        keras.activations.celu(x, alpha=0.7),
        keras.activations.hard_shrink(x, threshold=0.3),
        keras.activations.log_softmax(x, axis=0),
        keras.activations.softmax(keras.ops.reshape(x, (-1, 4, 2)), axis=1),
    ]
    assert_parity(keras.Model(x, z), SPREAD)


@examples
@given(
    slope=st.sampled_from([0.0, 0.25]),
    threshold=st.sampled_from([0.0, 1.5, -1.0]),
    maximum=st.sampled_from([None, 3.0, 6.0]),
)
def test_relu_with_slope_threshold_and_maximum(slope, threshold, maximum):
    if threshold < 0:  # the layer wants it positive, the function does not
        x = keras.Input((8,))
        z = keras.activations.relu(x, negative_slope=slope, max_value=maximum, threshold=threshold)
        assert_parity(keras.Model(x, z), SPREAD)
        return
    x = keras.Input((8,))
    layer = layers.ReLU(max_value=maximum, negative_slope=slope, threshold=threshold)
    assert_parity(keras.Model(x, layer(x)), SPREAD)


@pytest.mark.parametrize(
    "layer", [layers.LeakyReLU(0.1), layers.ELU(0.5), layers.PReLU(), layers.PReLU(shared_axes=[1])]
)
def test_layers_of_activations(layer):
    x = keras.Input((3, 4))
    assert_parity(randomize(keras.Model(x, layer(x))), numbers(2, 3, 4))


@examples
@given(axis=st.sampled_from([-1, 1, 2, (1, 2)]), kind=st.sampled_from([None, "bool", "float32", "int32"]))
def test_softmax_with_a_mask_gives_masked_places_nothing(axis, kind):
    x = keras.Input((3, 4))
    if kind is None:
        assert_parity(keras.Model(x, layers.Softmax(axis)(x)), numbers(2, 3, 4))
        return
    mask = keras.Input((3, 4), dtype=kind)
    keep = numbers(2, 3, 4, seed=1) > 0
    keep[0, 1], keep[1] = False, False
    model = keras.Model([x, mask], layers.Softmax(axis)(x, mask=mask))
    assert_parity(model, numbers(2, 3, 4), keep.astype(kind))


def test_a_callable_of_ones_own_is_an_activation():
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(3, activation=lambda y: keras.ops.tanh(y) * y)(x))
    assert operators(assert_parity(randomize(model), numbers(2, 4))) == ["MatMul", "Add", "Tanh", "Mul"]

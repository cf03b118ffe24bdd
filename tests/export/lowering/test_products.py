"""Dense layers and products of tensors."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

from ..parity import assert_parity, examples, numbers, operators, randomize


@examples
@given(
    shape=st.sampled_from([(4,), (None, 4), (3, 2, 4)]),
    bias=st.booleans(),
    activation=st.sampled_from([None, "relu", "softmax", "tanh", "hard_silu"]),
)
def test_dense(shape, bias, activation):
    x = keras.Input(shape)
    model = keras.Model(x, layers.Dense(3, use_bias=bias, activation=activation)(x))
    lowered = assert_parity(randomize(model), numbers(2, *(size or 5 for size in shape)))
    assert operators(lowered)[: 1 + bias] == ["MatMul", "Add"][: 1 + bias]


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes", "shape"),
    [
        ("ab,bc->ac", 6, "c", (4,)),
        ("abc,cd->abd", (None, 6), "d", (None, 4)),
        ("...x,xy->...y", 6, "y", (None, 4)),
        ("abc,cde->abde", (None, 2, 3), "de", (None, 4)),
        ("abde,dec->abc", (None, 5), "c", (None, 2, 3)),
        ("abc,bd->adc", (6, 4), None, (3, 4)),
    ],
)
def test_einsum_dense(equation, output_shape, bias_axes, shape):
    x = keras.Input(shape)
    model = keras.Model(x, layers.EinsumDense(equation, output_shape, bias_axes=bias_axes)(x))
    lowered = assert_parity(randomize(model), numbers(2, *(size or 5 for size in shape)))
    assert ("Einsum" in operators(lowered)) == (equation == "abc,bd->adc")


@pytest.mark.parametrize(
    "equation", ["abc,adc->abd", "abc,abd->acd", "abc,abc->ab", "abc,dbc->adb", "...c,...c->...", "abc,abc"]
)
def test_einsum(equation):
    x, y = keras.Input(batch_shape=(3, 3, 4)), keras.Input(batch_shape=(3, 3, 4))
    try:
        z = ops.einsum(equation, x, y)
    except (ValueError, TypeError):
        return
    assert_parity(keras.Model([x, y], z), numbers(3, 3, 4), numbers(3, 3, 4, seed=1), tolerance=1e-4)


def test_products_of_tensors():
    x, y = keras.Input((3, 4)), keras.Input((4, 2))
    z = [
        ops.matmul(x, y),
        x @ y,
        ops.matmul(x, numbers(4, 2)),
        ops.dot(x, numbers(4)),
        ops.tensordot(x, numbers(4, 5), 1),
    ]
    assert_parity(keras.Model([x, y], z), numbers(2, 3, 4), numbers(2, 4, 2, seed=1), tolerance=1e-4)


@examples
@given(axes=st.sampled_from([(1, 1), (2, 2), (2, -1), 1, -1]), normalize=st.booleans())
def test_dot_layer(axes, normalize):
    x, y = keras.Input((4, 4)), keras.Input((4, 4))
    model = keras.Model([x, y], layers.Dot(axes=axes, normalize=normalize)([x, y]))
    assert_parity(model, numbers(2, 4, 4), numbers(2, 4, 4, seed=1), tolerance=1e-4)


@pytest.mark.parametrize("shapes", [((4,), (4,)), ((4,), (3, 4)), ((3, 4), (4,)), ((2, 3, 4), (4, 2))])
def test_dot_layer_of_other_ranks(shapes):
    x, y = keras.Input(shapes[0]), keras.Input(shapes[1])
    axes = (len(shapes[0]), 1 if shapes[1][0] == 4 else 2)
    model = keras.Model([x, y], layers.Dot(axes=axes)([x, y]))
    assert_parity(model, numbers(2, *shapes[0]), numbers(2, *shapes[1], seed=1), tolerance=1e-4)


def test_a_layer_with_lora_is_exported_with_it():
    x = keras.Input((4,))
    layer = layers.Dense(3)
    model = keras.Model(x, layer(x))
    layer.enable_lora(2)
    assert_parity(randomize(model), numbers(2, 4))

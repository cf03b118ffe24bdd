"""The road through tf2onnx: what it converts is right, what it cannot do is an error."""

import keras
import pytest
import tensorflow as tf
from keras import layers, ops

from kerasllm.export import ExportError
from kerasllm.export.compiler import lower_model

from .parity import assert_parity, numbers, operators, randomize


class Raw(layers.Layer):
    """A layer of TensorFlow's own functions, which keras.ops cannot see into."""

    def __init__(self, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")

    def call(self, x, other=None):
        return self.function(tf.matmul(x, self.kernel)) if other is None else self.function(x) * other


def model_of(function, shape=(4,)):
    x = keras.Input(shape)
    return randomize(keras.Model(x, layers.Dense(2)(Raw(function, name="raw")(x))))


def test_a_layer_of_tensorflow_is_inlined():
    lowered = assert_parity(model_of(tf.nn.relu), numbers(2, 4))
    assert operators(lowered)[-2:] == ["MatMul", "Add"]
    assert all(node.domain == "" for node in lowered.graph)


def test_twice_the_same_layer_gives_names_of_their_own():
    x = keras.Input((4,))
    layer = Raw(lambda y: tf.math.cumsum(y, axis=-1))
    model = randomize(keras.Model(x, layer(x) + layer(-x)))
    assert_parity(model, numbers(2, 4), tolerance=1e-4)


def test_several_tensors_and_one_that_is_used_twice():
    x, y = keras.Input((4,)), keras.Input((4,))
    layer = Raw(tf.math.tanh)
    assert_parity(keras.Model([x, y], [layer(x, other=y), layer(x, other=x)]), numbers(2, 4), numbers(2, 4, seed=1))


def test_erfc_is_spelled_out():
    lowered = assert_parity(model_of(lambda y: tf.math.erfc(y) + tf.nn.gelu(y)), numbers(2, 4))
    assert "Erf" in operators(lowered)


def test_an_operation_of_keras_without_a_lowering():
    x = keras.Input((5,))
    assert_parity(keras.Model(x, [ops.sort(x), ops.median(x, axis=-1)]), numbers(2, 5))


def test_an_argument_that_is_a_constant():
    x = keras.Input((4,))
    factor = ops.convert_to_tensor(numbers(4))
    assert_parity(keras.Model(x, Raw(tf.math.tanh)(x, other=factor)), numbers(2, 4))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda y: y + tf.random.normal((3,)), "random"),
        (lambda y: tf.math.bessel_i0e(y), "BesselI0e"),
    ],
)
def test_what_tf2onnx_leaves_undone_is_an_error_that_names_the_layer(function, message):
    with pytest.raises(ExportError, match=message) as failure:
        lower_model(model_of(function))
    assert "'raw' of class Raw" in str(failure.value)


class Cell(layers.Layer):
    """A recurrent cell that no operator knows."""

    state_size = 4
    output_size = 4

    def call(self, x, states):
        state = states[0] * 0.5 + x
        return state, [state]


def test_a_recurrent_layer_never_becomes_a_loop():
    x = keras.Input((None, 4))
    with pytest.raises(ExportError, match="RNN"):
        lower_model(keras.Model(x, layers.RNN(Cell())(x)))


class Hidden(layers.Layer):
    """Closed, and with a layer inside that sees the mask of its input."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pool = layers.GlobalAveragePooling1D()

    def call(self, x):
        return tf.math.tanh(self.pool(x))


@pytest.mark.filterwarnings("ignore:.*does not support masking")
def test_a_mask_that_a_closed_layer_would_miss_is_an_error():
    ids = keras.Input((None,), dtype="int32")
    x = layers.Embedding(10, 4, mask_zero=True)(ids)
    with pytest.raises(ExportError, match="mask"):
        lower_model(keras.Model(ids, Hidden()(x)))

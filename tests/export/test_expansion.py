"""Models inside models, shared layers, masks on their way: what the lowered graph does is what `model(x)` does."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasllm.export import ExportError
from kerasllm.export.compiler import functional_graph, lower_model
from kerasllm.export.expansion import expand

from .parity import assert_parity, numbers, operators, ragged, randomize

# Keras warns where a mask ends, which is what these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered", "ignore:.*does not support masking")


def tokens() -> keras.KerasTensor:
    return keras.Input((None,), dtype="int32", name="input_ids")


def embedder() -> keras.Sequential:
    return keras.Sequential([tokens(), layers.Embedding(10, 4, mask_zero=True)], name="embedder")


def mean(x):
    """What shows a mask: the mean of the tokens that are there."""
    return layers.GlobalAveragePooling1D()(x)


def check(model, *inputs):
    return assert_parity(randomize(model), *(inputs or [ragged()]))


def test_a_mask_made_inside_a_nested_model_goes_on_outside_it():
    ids = tokens()
    check(keras.Model(ids, mean(layers.Dense(3)(layers.Dropout(0.5)(embedder()(ids))))))


def test_a_mask_goes_through_a_nested_model():
    ids, inside = tokens(), keras.Input((None, 4))
    nested = keras.Model(inside, layers.Dense(3)(layers.Activation("relu")(inside)))
    check(keras.Model(ids, mean(nested(layers.Embedding(10, 4, mask_zero=True)(ids)))))


def test_a_mask_is_read_inside_a_nested_model():
    ids, inside = tokens(), keras.Input((None, 4))
    nested = keras.Model(inside, mean(inside))
    check(keras.Model(ids, nested(layers.Embedding(10, 4, mask_zero=True)(ids))))


def test_a_mask_named_in_the_call_of_a_nested_model():
    ids, inside = tokens(), keras.Input((None, 4))
    nested = keras.Model(inside, mean(inside))
    x = layers.Embedding(10, 4)(ids)
    check(keras.Model(ids, nested(x, mask=ops.greater(ids, 4))))


def test_a_conversion_that_changes_nothing_keeps_the_mask():
    ids = tokens()
    x = layers.Embedding(10, 4, mask_zero=True)(ids)
    check(keras.Model(ids, [mean(ops.cast(x, "float32")), mean(ops.convert_to_tensor(x)), mean(x + 1)]))


def test_layers_of_one_name_in_two_nested_models():
    def nested():
        return keras.Sequential([keras.Input((None, 4)), layers.Softmax(name="same"), layers.LSTM(4, name="last")])

    x = keras.Input((None, 4))
    check(keras.Model(x, nested()(x) + nested()(x)), numbers(2, 3, 4))


def test_models_three_deep():
    ids = tokens()
    inner = embedder()
    middle = keras.Sequential([tokens(), inner, layers.LayerNormalization()])
    outer = keras.Sequential([tokens(), middle, layers.SpatialDropout1D(0.5)])
    check(keras.Model(ids, mean(outer(ids))))


def test_a_model_called_by_its_call_method_standardizes_its_inputs():
    ids = tokens()
    nested = keras.Sequential([tokens(), layers.Embedding(10, 4)])
    lowered = check(keras.Model(ids, nested.call(ids)))
    assert operators(lowered).count("Gather") == 1


def test_a_list_does_not_hide_the_masks_of_its_tensors():
    ids = tokens()
    x = layers.Embedding(10, 4, mask_zero=True)(ids)
    check(keras.Model(ids, [mean(layers.Concatenate()([x, x])), layers.Attention()([x, x])]))


def test_an_argument_beside_the_tensor_does_not_hide_its_mask():
    ids = tokens()
    x = layers.Embedding(10, 4, mask_zero=True)(ids)
    check(keras.Model(ids, layers.GlobalAveragePooling1D()(layers.Dropout(0.5)(x, training=False))))


def test_a_shared_layer_is_stored_once():
    a, b = keras.Input((4,)), keras.Input((4,))
    dense = layers.Dense(4)
    lowered = check(keras.Model([a, b], [dense(a), dense(dense(b))]), numbers(2, 4), numbers(2, 4, seed=1))
    assert operators(lowered).count("MatMul") == 3
    assert len(lowered.graph.initializers) == 2


def test_a_shared_nested_model():
    a, b = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    encode = keras.Sequential([embedder(), layers.Dense(3), layers.GlobalAveragePooling1D()])
    check(keras.Model([a, b], layers.Dot(1)([encode(a), encode(b)])), ragged(), ragged(seed=1))


def test_several_inputs_and_outputs_of_a_nested_model():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    nested = keras.Model([a, b], [layers.Dense(3)(a) + b[:, :3], a * b])
    x, y = keras.Input((4,)), keras.Input((4,))
    first, second = nested([x, y])
    check(keras.Model([x, y], [second, first + 1]), numbers(2, 4), numbers(2, 4, seed=1))


def test_dictionaries_in_and_out_of_a_nested_model():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    nested = keras.Model({"a": a, "b": b}, {"sum": a + b, "difference": a - b})
    x, y = keras.Input((4,)), keras.Input((4,))
    z = nested({"a": x, "b": y})
    check(keras.Model([x, y], [z["difference"], z["sum"]]), numbers(2, 4), numbers(2, 4, seed=1))


def test_an_input_that_a_layer_casts():
    x = keras.Input((4,), dtype="float64")
    check(keras.Model(x, layers.Dense(3)(x)), numbers(2, 4).astype(np.float64))


def test_half_precision_is_exported_in_float32():
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(3, dtype="mixed_float16", activation="softmax")(x))
    assert_parity(randomize(model), numbers(2, 4), tolerance=5e-3)


class Scaled(layers.Layer):
    """A layer of one's own: a weight, a layer inside, keras.ops."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(4, activation="tanh")
        self.supports_masking = True

    def build(self, shape):
        self.inner.build(shape)
        self.scale = self.add_weight(shape=(4,), name="scale")

    def call(self, x):
        batch, length, _ = ops.shape(x)
        heads = ops.reshape(self.scale * self.inner(x), (batch, length, 2, 2))
        return ops.reshape(ops.transpose(heads, (0, 1, 3, 2)), (batch, length, 4))


def test_a_layer_of_ones_own_is_opened():
    ids = tokens()
    lowered = check(keras.Model(ids, mean(Scaled(name="mine")(layers.Embedding(10, 4, mask_zero=True)(ids)))))
    assert "mine/dense" in "".join(node.name for node in lowered.graph)


def test_a_lambda_given_in_python_is_opened():
    x = keras.Input((4,))
    check(keras.Model(x, layers.Lambda(lambda y: ops.tanh(y) + 1)(x)), numbers(2, 4))


class Noisy(layers.Layer):
    def __init__(self, draw, **kwargs):
        super().__init__(**kwargs)
        self.draw = draw

    def call(self, x):
        return x + self.draw()


def test_random_numbers_are_not_frozen():
    import tensorflow as tf

    for draw in (lambda: keras.random.normal((4,)), lambda: tf.random.normal((4,))):
        x = keras.Input((4,))
        with pytest.raises(ExportError, match="random"):
            lower_model(keras.Model(x, Noisy(draw)(x)))


class Trainee(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dropout = layers.Dropout(0.5)

    def call(self, x):
        return self.dropout(x, training=True)


def test_training_inside_a_layer_is_refused():
    x = keras.Input((4,))
    with pytest.raises(ExportError, match="training=True"):
        lower_model(keras.Model(x, Trainee()(x)))


def test_training_asked_for_when_the_model_was_built_is_inference_here_as_in_predict():
    x = keras.Input((4,))
    check(keras.Model(x, layers.Dropout(0.5)(x, training=True) + 1), numbers(2, 4))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Dropout(0.5),
        layers.SpatialDropout1D(0.5),
        layers.GaussianNoise(0.5),
        layers.GaussianDropout(0.5),
        layers.AlphaDropout(0.5),
        layers.ActivityRegularization(0.1),
        layers.Activation("linear"),
    ],
)
def test_layers_of_training_alone_leave_nothing(layer):
    x = keras.Input((3, 4))
    lowered = check(keras.Model(x, layers.Dense(4)(layer(x))), numbers(2, 3, 4))
    assert operators(lowered) == ["MatMul", "Add"]


def test_the_model_is_left_as_it_was():
    ids = tokens()
    model = keras.Model(ids, mean(embedder()(ids)))
    before = model.get_config()
    expand(functional_graph(model))
    assert model.get_config() == before
    assert model.layers[1].output.shape == (None, None, 4)

"""What goes in and out of a lowered model: names, types, axes; and models that cannot be lowered."""

import keras
import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

from kerasllm.export import ExportError
from kerasllm.export.compiler import lower_model

from .parity import assert_parity, examples, numbers, ragged, randomize


def test_integer_inputs_are_int64_with_named_axes():
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    mask = keras.Input((None,), dtype="int32", name="attention_mask")
    lowered = lower_model(keras.Model([ids, mask], ids * mask), output_names=["product"])
    for value in lowered.graph.inputs:
        assert value.dtype == ir.DataType.INT64
        assert [str(size) for size in value.shape] == ["batch_size", "sequence_length"]
    assert [value.name for value in lowered.graph.outputs] == ["product"]
    assert lowered.opset_imports[""] == 20


def test_inputs_of_different_lengths_have_different_axes():
    a, b = keras.Input((None, 4), name="a"), keras.Input((None, 4), name="b")
    model = keras.Model([a, b], [ops.sum(a, 1), ops.sum(b, 1)])
    assert_parity(model, numbers(2, 3, 4), numbers(2, 5, 4))


def test_outputs_are_named_after_the_layer_that_makes_them():
    x = keras.Input((4,), name="x")
    y = layers.Dense(2, name="scores")(x)
    lowered = lower_model(keras.Model(x, {"a": y, "b": layers.Softmax(name="probabilities")(y)}))
    assert [value.name for value in lowered.graph.outputs] == ["scores", "probabilities"]


def test_an_output_asked_for_twice_and_outputs_that_are_inputs():
    x = keras.Input((4,), name="x")
    y = layers.Dense(2, name="y")(x)
    assert_parity(randomize(keras.Model(x, [y, y, x, y + 1, x])), numbers(2, 4))


def test_outputs_of_one_shared_layer_have_names_of_their_own():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    dense = layers.Dense(2, name="dense")
    model = randomize(keras.Model([a, b], [dense(a), dense(b)]))
    lowered = assert_parity(model, numbers(2, 4), numbers(2, 4, seed=1))
    assert len({value.name for value in lowered.graph.outputs}) == 2


def test_a_dictionary_of_inputs():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    model = keras.Model({"a": a, "b": b}, a - b)
    assert_parity(model, {"a": numbers(2, 4), "b": numbers(2, 4, seed=1)})


def test_an_unused_input_stays():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    assert_parity(keras.Model([a, b], a + 1), numbers(2, 4), numbers(2, 4))


def test_a_sequential_model():
    model = keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(10, 4), layers.Dense(3)])
    assert_parity(randomize(model), ragged())


def test_a_sequential_model_built_by_its_first_call():
    model = keras.Sequential([layers.Dense(3), layers.ReLU()])
    model(numbers(2, 4))
    assert_parity(model, numbers(2, 4))


def test_boolean_inputs_stay_boolean():
    x = keras.Input((4,), dtype="bool")
    assert_parity(keras.Model(x, ops.where(x, 1.0, 2.0)), numbers(2, 4) > 0)


class Subclassed(keras.Model):
    def call(self, x):
        return x + 1


def refused():
    """Models that cannot be lowered, and what the error says."""
    text = keras.Input((), dtype="string", name="text")
    table = layers.TextVectorization(vocabulary=["good", "bad"])
    yield "subclassed", Subclassed(), "keras.Model\\(inputs, outputs\\)"
    yield "unbuilt", keras.Sequential([layers.Dense(2)]), "not built"
    yield "strings", keras.Model(text, table(text)), "tokenizer.json"


@pytest.mark.parametrize(("model", "message"), [pytest.param(model, text, id=name) for name, model, text in refused()])
def test_what_cannot_be_lowered_is_refused_with_the_way_out(model, message):
    with pytest.raises(ExportError, match=message):
        lower_model(model)


BLOCKS = {
    "dense": lambda: layers.Dense(4, activation="gelu"),
    "convolution": lambda: layers.Conv1D(4, 3, padding="same", activation="relu"),
    "recurrent": lambda: layers.LSTM(4, return_sequences=True),
    "both ways": lambda: layers.Bidirectional(layers.GRU(2, return_sequences=True)),
    "norm": lambda: layers.LayerNormalization(),
    "batch norm": lambda: layers.BatchNormalization(),
    "dropout": lambda: layers.Dropout(0.3),
    "attention": lambda: Block(layers.MultiHeadAttention(2, 3), twice=True),
    "residual": lambda: Block(layers.Dense(4), twice=False),
    "gate": lambda: layers.Lambda(lambda x: x * ops.sigmoid(x), output_shape=lambda shape: shape),
    "nested": lambda: keras.Sequential([keras.Input((None, 4)), layers.Dense(4), layers.ReLU()]),
}


class Block:
    """x + layer(x), with the layer called on x and x, or on x alone."""

    def __init__(self, layer, *, twice):
        self.layer, self.twice = layer, twice

    def __call__(self, x):
        return layers.Add()([x, self.layer(x, x) if self.twice else self.layer(x)])


HEADS = {
    "mean": layers.GlobalAveragePooling1D,
    "max": layers.GlobalMaxPooling1D,
    "last": lambda: layers.LSTM(3),
    "none": layers.Identity,
}


@pytest.mark.filterwarnings("ignore:.*does not support masking", "ignore:invalid value encountered")
@examples
@given(
    blocks=st.lists(st.sampled_from(list(BLOCKS)), min_size=2, max_size=4),
    head=st.sampled_from(list(HEADS)),
    masked=st.booleans(),
)
def test_any_stack_of_layers_from_a_mask_on(blocks, head, masked):
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    x = layers.Embedding(10, 4, mask_zero=masked)(ids)
    for name in blocks:
        x = BLOCKS[name]()(x)
    model = keras.Model(ids, HEADS[head]()(x))
    assert_parity(randomize(model), ragged(), tolerance=5e-5)


def test_one_row_and_one_token():
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    x = layers.Conv1D(4, 3, padding="causal")(layers.Embedding(10, 4)(ids))
    model = randomize(keras.Model(ids, layers.GlobalMaxPooling1D()(x)))
    assert_parity(model, np.array([[3]], np.int32))

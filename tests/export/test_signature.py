"""How a model is called is read off its graph, and asked for where the graph does not say."""

import keras
import numpy as np
import pytest
from keras import layers

from kerasllm.export import ExportError
from kerasllm.export.interface import call
from kerasllm.export.signature import read_signature

LABELS = ["negative", "positive"]


def sequential(*stack, length=None, dtype="int32", mask_zero=True, rows=10) -> keras.Model:
    keras.utils.set_random_seed(0)
    embedding = layers.Embedding(rows, 4, mask_zero=mask_zero, embeddings_initializer="normal")
    return keras.Sequential([keras.Input((length,), dtype=dtype, name="words"), embedding, *stack])


def masked(units=2, activation=None, **options) -> keras.Model:
    return sequential(layers.GlobalAveragePooling1D(), layers.Dense(units, activation), **options)


def test_the_houses_own_form(model, tokenizer):
    signature = read_signature(model, tokenizer, LABELS)
    assert signature.inputs == {"input_ids": "input_ids", "attention_mask": "attention_mask"}
    assert (signature.activation, signature.max_length, signature.padding) == ("softmax", 256, "longest")
    assert (signature.pad_token_id, signature.vocab_size, signature.padding_side) == (0, 10, "right")


@pytest.mark.parametrize(
    ("stack", "multi_label", "applied", "left"),
    [
        ([layers.Dense(2)], False, "none", "softmax"),
        ([layers.Dense(2)], True, "none", "sigmoid"),
        ([layers.Dense(1)], False, "none", "softmax"),
        ([layers.Dense(2, "softmax")], False, "softmax", "softmax"),
        ([layers.Dense(1, "sigmoid")], False, "sigmoid", "softmax"),
        ([layers.Dense(2), layers.Softmax()], False, "softmax", "softmax"),
        ([layers.Dense(2), layers.Activation("sigmoid")], True, "sigmoid", "sigmoid"),
        ([keras.Sequential([layers.Dense(2, "softmax")])], False, "softmax", "softmax"),
    ],
)
def test_the_activation_is_read_off_the_last_layer(tokenizer, stack, multi_label, applied, left):
    model = sequential(layers.GlobalAveragePooling1D(), *stack)
    signature = read_signature(model, tokenizer, LABELS, multi_label=multi_label)
    assert (signature.applied, signature.activation) == (applied, left)
    assert signature.one_for_two == (model.output_shape[-1] == 1)


def test_an_activation_that_cannot_be_read_is_asked_for(tokenizer):
    model = sequential(layers.GlobalAveragePooling1D(), layers.Dense(2), layers.ReLU())
    with pytest.raises(ValueError, match="logits or probabilities"):
        read_signature(model, tokenizer, LABELS)
    assert read_signature(model, tokenizer, LABELS, activation="none").activation == "none"


def test_one_input_keeps_its_own_name(tokenizer):
    assert read_signature(masked(), tokenizer, LABELS).inputs == {"input_ids": "words"}


def test_a_vocabulary_larger_than_the_embedding(tokenizer):
    with pytest.raises(ValueError, match=r"has rows, 9. Received: a tokenizer of 10"):
        read_signature(masked(rows=9), tokenizer, LABELS)


def test_a_vocabulary_larger_than_the_embedding_of_a_loaded_model(tokenizer):
    """Keras puts a conversion before the layers of some models that it loads."""
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    table = layers.Embedding(9, 4, mask_zero=True)(keras.ops.convert_to_tensor(ids))
    model = keras.Model(ids, layers.Dense(2)(layers.GlobalAveragePooling1D()(table)))
    with pytest.raises(ValueError, match=r"has rows, 9. Received: a tokenizer of 10"):
        read_signature(model, tokenizer, LABELS)


def test_an_embedding_of_positions_may_be_smaller(tokenizer):
    ids = keras.Input((4,), dtype="int32")
    positions = layers.Embedding(4, 3)(keras.ops.arange(4))
    model = keras.Model(ids, layers.Dense(2)(layers.Flatten()(layers.Embedding(10, 3)(ids) + positions)))
    assert read_signature(model, tokenizer, LABELS, padding_side="right").vocab_size == 10


def test_padding_that_the_model_does_not_mask(tokenizer):
    other = type(tokenizer).from_str(
        tokenizer.to_str().replace('"[PAD]":0', '"zero":0').replace('"[UNK]":1', '"[PAD]":1')
    )
    with pytest.raises(ValueError, match=r"masks id 0, so the tokenizer's padding must be id 0. Received: .* id 1"):
        read_signature(masked(), other, LABELS)


def test_an_unmasked_model_needs_its_length_and_side(tokenizer):
    model = sequential(layers.SimpleRNN(4), layers.Dense(2), mask_zero=False)
    with pytest.raises(ValueError, match="say the length"):
        read_signature(model, tokenizer, LABELS)
    with pytest.raises(ValueError, match="say which one"):
        read_signature(model, tokenizer, LABELS, max_length=7)
    signature = read_signature(model, tokenizer, LABELS, max_length=7, padding_side="left")
    assert (signature.padding, signature.max_length, signature.padding_side) == ("max_length", 7, "left")


def test_a_fixed_length_is_the_limit(tokenizer):
    model = masked(length=5)
    signature = read_signature(model, tokenizer, LABELS)
    assert (signature.max_length, signature.padding) == (5, "max_length")
    with pytest.raises(ValueError, match=r"length of the model's input, 5. Received: 6"):
        read_signature(model, tokenizer, LABELS, max_length=6)


@pytest.mark.parametrize(("units", "labels"), [(3, LABELS), (1, ["a", "b", "c"]), (2, ["a"])])
def test_labels_that_do_not_fit_the_scores(tokenizer, units, labels):
    with pytest.raises(ValueError, match=f"model's {units} scores .*Received: {len(labels)} labels"):
        read_signature(masked(units), tokenizer, labels)


def test_inputs_and_outputs_that_are_no_classifiers(tokenizer):
    a, b = (keras.Input((None,), dtype="int32", name=name) for name in ("left", "right"))
    pooled = layers.GlobalAveragePooling1D()(layers.Embedding(10, 4)(a) + layers.Embedding(10, 4)(b))
    with pytest.raises(ValueError, match="others only where they are called attention_mask"):
        read_signature(keras.Model([a, b], layers.Dense(2)(pooled)), tokenizer, LABELS)
    with pytest.raises(ValueError, match="must have one output"):
        read_signature(sequential(), tokenizer, LABELS)


def test_a_model_without_a_graph(tokenizer):
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ExportError, match="Own"):
        read_signature(Own(), tokenizer, LABELS)


def test_keras_is_called_in_the_order_and_types_of_its_inputs(model):
    ids, mask = np.array([[2, 3, 0]]), np.array([[1, 1, 0]])
    np.testing.assert_allclose(call(model, [ids, mask])[0], model.predict([ids, mask], verbose=0), atol=1e-6)
    assert call(masked(dtype="float32"), [ids])[0].dtype == np.float32

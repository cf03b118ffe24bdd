import keras
import numpy as np
import pytest
from keras import ops

from kerasllm.tasks.hiding import hide_tokens
from kerasllm.tokenizing.bert_tokenizer import CLS, MASK, SEP, train_bert_tokenizer
from kerasllm.tokenizing.tokenizer import TokenizerConfig, train_tokenizer

TOKENIZER = train_bert_tokenizer(["a film of two hours"] * 3, TokenizerConfig(vocab_size=40))
IDS = np.array([TOKENIZER.encode("a film of two").ids] * 500)


def seeing(model_input="input_ids"):
    """A model that says what it sees."""
    ids = keras.Input((None,), dtype="int32", name=model_input)
    mask = keras.Input((None,), dtype="int32", name="attention_mask")
    weight = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    seen = weight(ops.cast(ids, "float32")[..., None])[..., 0]
    return keras.Model({model_input: ids, "attention_mask": mask}, seen * ops.cast(mask, "float32"))


def seen(training):
    model = hide_tokens(seeing(), TOKENIZER, 0.25)
    return np.array(model({"input_ids": IDS, "attention_mask": np.ones_like(IDS)}, training=training))


def test_training_sees_masks_in_the_place_of_so_many_ordinary_tokens():
    shown = seen(True)
    changed = shown != IDS
    assert set(shown[changed]) == {TOKENIZER.token_to_id(MASK)}
    special = np.isin(IDS, [TOKENIZER.token_to_id(CLS), TOKENIZER.token_to_id(SEP)])
    assert not changed[special].any()
    assert changed[~special].mean() == pytest.approx(0.25, abs=0.05)


def test_otherwise_every_token_is_seen_and_the_weights_are_the_same():
    assert (seen(False) == IDS).all()
    model = seeing()
    hidden = hide_tokens(model, TOKENIZER, 0.25)
    assert [id(weight) for weight in hidden.weights] == [id(weight) for weight in model.weights]


def test_a_tokenizer_without_mask_is_refused():
    with pytest.raises(ValueError, match=r"needs a token \[MASK\]"):
        hide_tokens(seeing(), train_tokenizer(["a film"], TokenizerConfig()), 0.1)

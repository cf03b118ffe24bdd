"""A tiny BERT by KerasHub with the head of each task, and its tokenizer: weights random, but the same each time."""

from functools import cache

import keras
import keras_hub
import numpy as np
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# fmt: off
WORDS = ["ada", "alan", "met", "in", "london", "paris", "the", "film", "was", "good", "bad", "very", "not", "who",
         "where", "wrote", "it", "?", ".", "##s", "##ed", "new", "york"]
# fmt: on
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
LABELS_OF = {"text-classification": ["negative", "positive"], "token-classification": TAGS}
TASKS = ["text-classification", "token-classification", "question-answering", "feature-extraction", "fill-mask"]
LENGTH = 24


@cache
def bert_tokenizer() -> tokenizers.Tokenizer:
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *WORDS])}
    made = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    made.add_special_tokens(SPECIAL)
    return made


def inputs_and_states(*, nested: bool) -> tuple[dict[str, keras.KerasTensor], keras.KerasTensor, keras.Model]:
    """The inputs by their roles, the last hidden states [batch, sequence, 32], and the backbone.

    Not nested, the backbone's layers become the model's own: Keras loses what a nested one shares with a head.
    """
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=len(SPECIAL) + len(WORDS),
        num_layers=1,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=144,
        max_sequence_length=LENGTH,
    )
    roles = {"input_ids": "token_ids", "attention_mask": "padding_mask", "token_type_ids": "segment_ids"}
    inputs = {role: keras.Input((None,), dtype="int32", name=role) for role in roles}
    call = backbone if nested else backbone.call
    return inputs, call({inner: inputs[role] for role, inner in roles.items()})["sequence_output"], backbone


def shaken(model: keras.Model) -> keras.Model:
    """Weights a little larger than at birth, so that answers differ from text to text."""
    draw = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(weight + draw.normal(0, 0.08, weight.shape))
    return model


def task_model(task: str) -> keras.Model:
    """A model of a task's form."""
    keras.utils.set_random_seed(0)
    inputs, states, backbone = inputs_and_states(nested=task != "fill-mask")
    dense = keras.layers.Dense
    if task == "text-classification":
        return shaken(keras.Model(inputs, dense(2, name="logits")(states[:, 0])))
    if task == "token-classification":
        return shaken(keras.Model(inputs, dense(len(TAGS), name="logits")(states)))
    if task == "question-answering":
        ends = dense(2)(states)
        return shaken(keras.Model(inputs, {"start_logits": ends[..., 0], "end_logits": ends[..., 1]}))
    if task == "fill-mask":
        return shaken(keras.Model(inputs, backbone.token_embedding(dense(32)(states), reverse=True)))
    here = keras.ops.expand_dims(keras.ops.cast(inputs["attention_mask"], "float32"), -1)
    pooled = keras.ops.sum(states * here, axis=1) / keras.ops.maximum(keras.ops.sum(here, axis=1), 1)
    norm = keras.ops.sqrt(keras.ops.maximum(keras.ops.sum(pooled * pooled, axis=-1, keepdims=True), 1e-24))
    return shaken(keras.Model(inputs, {"last_hidden_state": states, "sentence_embedding": pooled / norm}))

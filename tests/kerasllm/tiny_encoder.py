"""A BERT of two tiny layers with a head of two classes, for tests of fine-tuning."""

import keras
import keras_hub
import numpy as np
import tensorflow as tf


def tiny_classifier(dropout: float = 0.0) -> keras.Model:
    """A model from input_ids and attention_mask, int32 [batch, sequence], to logits [batch, 2]."""
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=20,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=16,
        dropout=dropout,
    )
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("input_ids", "attention_mask")}
    ids, mask = inputs.values()
    states = backbone({"token_ids": ids, "padding_mask": mask, "segment_ids": keras.ops.zeros_like(ids)})
    logits = keras.layers.Dense(2, name="logits")(states["pooled_output"])
    return keras.Model(inputs, logits)


def tiny_batches() -> tf.data.Dataset:
    """The same eight labelled examples, endlessly; a last token of 1 makes class 1."""
    ids = np.random.default_rng(0).integers(2, 20, (8, 5)).astype("int32")
    labels = np.arange(8) % 2
    ids[:, -1] = labels
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    return tf.data.Dataset.from_tensors((inputs, labels)).repeat()

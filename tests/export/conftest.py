"""A tokenizer and a small classifier of the house's own form, and tiny encoders, for the tests of bundles."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tokenizers
from tokenizers import models, pre_tokenizers

from kerasllm.data.dataset import Split
from kerasllm.export import export_bundle, verification

from .encoders import LABELS_OF, bert_tokenizer, task_model

WORDS = ["[PAD]", "[UNK]", "good", "bad", "film", "very", "not", "dull", "fine", "plot"]


@pytest.fixture(scope="session")
def tokenizer() -> tokenizers.Tokenizer:
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    made = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


@pytest.fixture(scope="session")
def model() -> keras.Model:
    """Masked mean of embeddings, then a score a class; what it answers is random, but the same each time."""
    keras.utils.set_random_seed(1)
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    mask = keras.Input((None,), dtype="int32", name="attention_mask")
    here = keras.ops.expand_dims(keras.ops.cast(mask, "float32"), -1)
    x = keras.layers.Embedding(len(WORDS), 512, embeddings_initializer="normal")(ids) * here
    x = keras.ops.sum(x, axis=1) / keras.ops.maximum(keras.ops.sum(here, axis=1), 1)
    return keras.Model([ids, mask], keras.layers.Dense(2, kernel_initializer="normal", name="logits")(x))


@pytest.fixture(scope="session")
def validation() -> Split:
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(WORDS[2:], draw.integers(1, 9))) for _ in range(40)]
    return Split(texts, draw.integers(0, 2, 40))


class Exported(NamedTuple):
    """A tiny encoder's bundle."""

    model: keras.Model
    folder: Path
    manifest: dict[str, Any]


@pytest.fixture(scope="session")
def exported_task(tmp_path_factory) -> Callable[[str], Exported]:
    """A function that gives a task's bundle, fp32 and int8, exported once for all tests that only read it."""
    root = tmp_path_factory.mktemp("tasks")

    @cache
    def export(task: str) -> Exported:
        model = task_model(task)
        options = {"tokenizer": bert_tokenizer(), "task": task, "labels": LABELS_OF.get(task, ())}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(verification, "_SECONDS", 0.02)  # nobody reads these latencies
            return Exported(model, root / task, export_bundle(model, root / task, **options))

    return export

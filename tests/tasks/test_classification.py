import keras
import numpy as np
import pytest

from kerasllm.data.batches import BatchConfig
from kerasllm.data.dataset import Split, TextDataset
from kerasllm.tasks.classification import ClassificationTask
from kerasllm.tokenizing.tokenizer import TokenizerConfig, train_tokenizer


def dataset(multi_label=False, pairs=None):
    labels = np.array([0, 1, 0, 1])
    truth = np.eye(2, dtype="float32")[labels] if multi_label else labels
    split = Split(["a bad film", "good", "bad", "a good film of two"], truth, pairs)
    splits = {"train": split, "validation": split}
    return TextDataset(name="films", labels=("bad", "good"), multi_label=multi_label, splits=splits)


def task(data, **options):
    tokenizer = train_tokenizer(data.splits["train"].texts, TokenizerConfig())
    return ClassificationTask(data, tokenizer, lambda: None, BatchConfig(batch_size=2), max_length=8, **options)


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_loss_is_the_cross_entropy_with_smoothing(multi_label):
    loss = task(dataset(multi_label), label_smoothing=0.2).loss()
    logits, labels = np.array([[2.0, -1.0], [0.5, 0.0]], "float32"), np.array([0, 1])
    truth = np.eye(2, dtype="float32")[labels] if multi_label else labels
    smooth = np.eye(2)[labels] * 0.8 + 0.1
    if multi_label:
        chance = 1 / (1 + np.exp(-logits))
        expected = -(smooth * np.log(chance) + (1 - smooth) * np.log(1 - chance)).mean()
    else:
        expected = -(smooth * np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))).sum(axis=1).mean()
    received = keras.ops.mean(loss(truth, keras.ops.convert_to_tensor(logits)))
    assert float(received) == pytest.approx(expected, rel=1e-5)

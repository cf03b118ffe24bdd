import numpy as np
import pytest

from kerasllm.data import Split, TextDataset


def dataset(texts=("ab", "c"), labels=(0, 1), names=("no", "yes"), name="here", notes=()):
    splits = {"train": Split(list(texts), np.array(labels, dtype=np.int64))}
    return TextDataset(name=name, labels=names, multi_label=False, splits=splits, notes=notes)


def test_the_fingerprint_is_of_the_content_alone():
    assert dataset().fingerprint == dataset(name="elsewhere", notes=("moved",)).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"texts": ("a", "bc")},
        {"texts": ("c", "ab")},
        {"labels": (1, 0)},
        {"names": ("yes", "no")},
        {"texts": ("ab", "\ud800")},
    ],
)
def test_any_change_of_content_changes_the_fingerprint(change):
    assert dataset().fingerprint != dataset(**change).fingerprint


def test_the_fingerprint_tells_splits_apart():
    split = dataset().splits["train"]
    one = TextDataset(name="", labels=("no", "yes"), multi_label=False, splits={"train": split})
    other = TextDataset(name="", labels=("no", "yes"), multi_label=False, splits={"test": split})
    assert one.fingerprint != other.fingerprint


def test_take_keeps_texts_and_labels_together():
    taken = dataset().splits["train"].take(np.array([1, 0, 1]))
    assert taken.texts == ["c", "ab", "c"]
    assert taken.labels.tolist() == [1, 0, 1]

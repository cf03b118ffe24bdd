import numpy as np
import pytest

from kerasllm.data import AugmentationConfig, Split
from kerasllm.data.augmentation import augment

TEXTS = Split([f"one two three four five number {n}" for n in range(50)], np.arange(50) % 3)


def test_off_by_default():
    assert augment(TEXTS, AugmentationConfig(), seed=0) is TEXTS


def test_copies_follow_the_originals_with_their_labels():
    more = augment(TEXTS, AugmentationConfig(swap=0.5, copies=2), seed=0)
    assert more.texts[:50] == TEXTS.texts
    assert 100 < len(more) <= 150
    assert len(more.labels) == len(more)
    for text, label in zip(more.texts, more.labels, strict=True):  # every text still holds its number
        assert next(int(word) for word in text.split() if word.isdigit()) % 3 == label


def test_the_seed_decides():
    config = AugmentationConfig(swap=0.2, delete=0.2, noise=0.05)
    assert augment(TEXTS, config, 1).texts == augment(TEXTS, config, 1).texts
    assert augment(TEXTS, config, 1).texts != augment(TEXTS, config, 2).texts


def test_swapping_keeps_every_word():
    for text in augment(TEXTS, AugmentationConfig(swap=0.5), 0).texts[50:]:
        assert sorted(text.split())[1:] == ["five", "four", "number", "one", "three", "two"]


def test_deleting_everything_leaves_a_word():
    assert set(augment(TEXTS, AugmentationConfig(delete=1.0), 0).texts[50:]) == {"one"}


def test_noise_leaves_no_text_empty():
    split = Split(["a", "xy"], np.array([0, 1]))
    assert all(augment(split, AugmentationConfig(noise=1.0, copies=20), 0).texts)


@pytest.mark.parametrize("wrong", [{"swap": 1.5}, {"delete": -0.1}, {"noise": 2}, {"copies": 0}])
def test_rates_are_shares(wrong):
    with pytest.raises(ValueError, match="Received: "):
        AugmentationConfig(**wrong)

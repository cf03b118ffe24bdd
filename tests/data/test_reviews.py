import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from kerasllm.data.reviews import SIZES, reviews


@pytest.fixture(scope="module")
def made():
    return reviews(0)


def test_sizes_balance_and_no_text_twice(made):
    texts = [text for split in made.splits.values() for text in split.texts]
    assert len(set(texts)) == len(texts) == 10_000
    for name, size in SIZES.items():
        assert np.bincount(made.splits[name].labels).tolist() == [size // 2, size // 2]


def test_a_seed_always_writes_the_same_reviews(made):
    # Pinned: published figures are for these very texts, whatever the version of Python.
    assert made.fingerprint == "45006b75cd3660813fe36dcf6476f4b820235c74d4f9e1e7bf782deac6282537"
    assert reviews(1).fingerprint != made.fingerprint


def test_a_bag_of_words_is_not_enough(made):
    train, test = made.splits["train"], made.splits["test"]
    bag = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=1000)).fit(train.texts, train.labels)
    assert 0.70 < bag.score(test.texts, test.labels) < 0.85


@pytest.mark.parametrize("word", ["not at all", "anything but", ", but ", "even though", "lthough", "says", "really"])
def test_every_device_of_the_grammar_occurs(made, word):
    assert sum(word in text for text in made.splits["train"].texts) > 40

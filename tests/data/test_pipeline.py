"""Batches by number: the Python source gives what tf.data gives, in order, and ends with its reader."""

import sys
import threading
from itertools import islice

import keras
import numpy as np
import pytest

from kerasllm.data.batches import BatchConfig, batches, steps
from kerasllm.data.causal_rows import CausalRows, Packed
from kerasllm.data.pipeline import Spec, made_ahead, pipeline
from kerasllm.data.tokens import TokenSplit

from .test_masked_rows import rows as masked_rows
from .test_masked_rows import training as masked_training


@pytest.fixture
def no_tensorflow(monkeypatch):
    def block():
        monkeypatch.setitem(sys.modules, "tensorflow", None)
        monkeypatch.setattr(keras.backend, "backend", lambda: "torch")

    return block


def splits():
    lengths = np.random.default_rng(0).integers(1, 60, 97)
    ids, offsets = np.arange(lengths.sum()), np.append(0, np.cumsum(lengths))
    return TokenSplit(ids.astype(np.int32), offsets, np.arange(97) % 3)


def causal_rows():
    samples = [(np.arange(1, n, dtype=np.int32), np.arange(1, n) > 2) for n in range(3, 9)]
    return CausalRows(Packed(samples, 8), batch_size=2, padding=0)


SPLIT, CONFIG = splits(), BatchConfig(batch_size=10)
SOURCES = {
    "training": lambda: batches(SPLIT, CONFIG, training=True, epoch=1, class_weights=[1, 2, 3]),
    "evaluation": lambda: batches(SPLIT, CONFIG, training=False),
    "causal": lambda: causal_rows().training(1),
    "causal evaluation": lambda: causal_rows().evaluation()[0],
    "masked": lambda: masked_training(masked_rows(next_sentence=True), 1),
    "masked evaluation": lambda: masked_rows().evaluation(),
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_batches_are_those_of_tf_data(name, no_tensorflow):
    count = 2 * steps(SPLIT, CONFIG)
    expected = [keras.tree.map_structure(np.asarray, batch) for batch in islice(SOURCES[name](), count)]
    no_tensorflow()
    found = list(islice(SOURCES[name](), count))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        keras.tree.assert_same_structure(one, other)
        for left, right in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)


def test_no_thread_outlives_its_reader():
    source = made_ahead(lambda number: (np.array(number),), range(10**9))
    assert [int(array) for (array,) in islice(source, 5)] == list(range(5))
    assert any(thread.name.startswith("batches") for thread in threading.enumerate())
    source.close()
    assert not any(thread.name.startswith("batches") for thread in threading.enumerate())


def test_what_goes_wrong_in_a_thread_comes_out_in_its_place():
    def make(number):
        if number == 7:
            raise OSError("the disk is gone")
        return (np.array(number),)

    source = made_ahead(make, range(20))
    assert len(list(islice(source, 7))) == 7
    with pytest.raises(OSError, match="the disk is gone"):
        next(source)


def test_tensorflow_s_own_backend_needs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ImportError, match="tensorflow"):
        pipeline(lambda number: (np.array(number),), (Spec("int64", ()),))

"""Batches of masked rows: a pure function of (seed, epoch, row)."""

from itertools import islice

import numpy as np
import pytest

from kerasllm.data.masked_rows import FIXED, MaskedRows
from kerasllm.data.masking import MaskingConfig
from kerasllm.tokenizing.tokenizer import TokenizerConfig, train_tokenizer

from ..tasks.small import sentences, small_tokenizer

DOCUMENTS = [sentences()[start : start + 4] for start in range(0, 24, 4)]


def rows(*, seed=0, segments=True, next_sentence=False, **options):
    config = MaskingConfig(next_sentence=next_sentence, **options)
    return MaskedRows(DOCUMENTS, small_tokenizer(), config, batch_size=5, max_length=16, segments=segments, seed=seed)


def arrays(dataset, count):
    return [{name: np.asarray(array) for name, array in batch.items()} for (batch,) in islice(dataset, count)]


def training(split, epoch):
    return split.training(epoch, lambda batch: (batch,))


def same(first, second):
    return all((one[name] == other[name]).all() for one, other in zip(first, second, strict=True) for name in one)


def test_batches():
    split = rows()
    assert (len(split), split.steps, split.tokens) == (12, 3, 192)
    for batch in arrays(training(split, 0), 3):
        assert set(batch) == {"input_ids", "attention_mask", "token_type_ids", "masked_positions", "labels"}
        assert {array.dtype for array in batch.values()} == {np.dtype(np.int32)}
        assert batch["input_ids"].shape == (4, 16)
        assert batch["labels"].shape == batch["masked_positions"].shape == (4, 2)
        assert (batch["attention_mask"] == 1).all()
        assert (batch["token_type_ids"] == 0).all()
        assert (batch["labels"] >= 5).all()
        restored = batch["input_ids"].copy()
        np.put_along_axis(restored, batch["masked_positions"], batch["labels"], axis=1)
        assert 4 not in restored  # [MASK] only where a label is
        assert 4 in batch["input_ids"]
    assert "token_type_ids" not in arrays(training(rows(segments=False), 0), 1)[0]


def test_masks_are_drawn_anew_each_epoch_and_depend_on_nothing_else():
    split = rows()
    first, second = arrays(training(split, 0), 6)[:3], arrays(training(split, 0), 6)[3:]
    assert not same(first, second)
    assert same(second, arrays(training(split, 1), 3))  # as a resumed run sees it
    assert same(first, arrays(training(rows(), 0), 3))
    assert not same(first, arrays(training(rows(seed=1), 0), 3))
    one, more = split.batch(np.array([7]), 0, 1), split.batch(np.array([3, 7]), 0, 1)
    assert all((one[name][0] == more[name][1]).all() for name in one)


def test_an_epoch_has_every_row_once():
    split = rows()
    seen = [split.batch(order, 0, 5)["input_ids"].shape[0] for order in split._order(5)]
    assert sum(seen) == 12
    assert sorted(np.concatenate(split._order(5)).tolist()) == list(range(12))
    assert np.concatenate(split._order(5)).tolist() != np.concatenate(split._order(6)).tolist()


def test_scoring_has_the_same_masks_for_every_seed():
    assert same(arrays(rows().evaluation(), 3), arrays(rows(seed=9).evaluation(), 3))
    whole = rows().batch(np.arange(12), *FIXED)
    parts = arrays(rows().evaluation(), 3)
    assert all((np.concatenate([part[name] for part in parts]) == whole[name]).all() for name in whole)


def test_two_segments_are_padded():
    split = rows(next_sentence=True, whole_words=True)
    for batch in arrays(training(split, 0), split.steps):
        real = batch["attention_mask"] == 1
        assert (batch["input_ids"][~real] == 0).all()
        assert (batch["token_type_ids"][~real] == 0).all()
        assert (batch["token_type_ids"].sum(axis=1) > 0).all()
        assert np.isin(batch["next_sentence_labels"], [0, 1]).all()
        asked = batch["labels"] >= 0
        assert (np.take_along_axis(batch["attention_mask"], batch["masked_positions"], 1)[asked] == 1).all()


def test_it_needs_an_encoder_s_tokenizer():
    with pytest.raises(ValueError, match=r"\[CLS\] and \[SEP\]"):
        MaskedRows(
            DOCUMENTS,
            train_tokenizer(sentences(), TokenizerConfig()),
            MaskingConfig(),
            batch_size=2,
            max_length=16,
            segments=False,
        )

"""Which tokens are predicted, and what stands in their place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.masking import MaskingConfig, MaskVocabulary, mask_row, mask_vocabulary
from kerasllm.data.token_stream import BEGINS, CONTINUES, SPECIAL
from kerasllm.tokenizing.bert_tokenizer import train_bert_tokenizer
from kerasllm.tokenizing.tokenizer import TokenizerConfig, train_tokenizer

MASK = 4
VOCABULARY = MaskVocabulary(MASK, np.arange(5, 1000, dtype=np.int32))


@st.composite
def rows(draw):
    """Ids and marks of a row: a word's first piece is never a continuation, special tokens anywhere."""
    marks = draw(st.lists(st.sampled_from([SPECIAL, BEGINS, CONTINUES]), min_size=1, max_size=60))
    ids = [2 if mark == SPECIAL else 5 + index for index, mark in enumerate(marks)]
    return np.array(ids, np.uint16), np.array(marks, np.uint8)


@settings(deadline=None)
@given(rows(), st.integers(0, 2**32), st.floats(0.01, 0.9), st.booleans())
def test_only_words_are_masked_and_only_the_chosen_change(row, seed, share, whole_words):
    ids, marks = row
    config = MaskingConfig(masked_share=share, whole_words=whole_words)
    hidden, chosen = mask_row(ids, marks, np.random.default_rng(seed), config, VOCABULARY)
    again, same = mask_row(ids, marks, np.random.default_rng(seed), config, VOCABULARY)
    assert (hidden == again).all()
    assert (chosen == same).all()
    assert hidden.dtype == np.int32
    assert (np.diff(chosen) > 0).all()
    assert (marks[chosen] != SPECIAL).all()
    untouched = np.setdiff1d(np.arange(len(ids)), chosen)
    assert (hidden[untouched] == ids[untouched]).all()
    assert np.isin(hidden[chosen], [MASK, *VOCABULARY.ordinary]).all()
    candidates = (marks != SPECIAL).sum()
    most = min(candidates, max(1, round(share * candidates)))
    assert len(chosen) <= most if whole_words else len(chosen) == most


@settings(deadline=None)
@given(rows(), st.integers(0, 2**32))
def test_whole_words_are_masked_whole(row, seed):
    ids, marks = row
    config = MaskingConfig(masked_share=0.4, whole_words=True)
    _, chosen = mask_row(ids, marks, np.random.default_rng(seed), config, VOCABULARY)
    drawn = set(chosen.tolist())
    for place in range(1, len(marks)):
        if marks[place] == CONTINUES and marks[place - 1] != SPECIAL:
            assert (place in drawn) == (place - 1 in drawn)


def test_whole_words_use_up_the_share():
    marks = np.full(200, BEGINS, np.uint8)
    config = MaskingConfig(whole_words=True)
    _, chosen = mask_row(np.full(200, 9, np.uint16), marks, np.random.default_rng(0), config, VOCABULARY)
    assert len(chosen) == 30


def test_eighty_ten_ten():
    """Within four standard deviations of the binomial; and tokens are drawn from all places alike."""
    ids, marks = np.full(1000, 7, np.uint16), np.full(1000, BEGINS, np.uint8)
    counts, places, total = np.zeros(3), np.zeros(1000), 0
    for seed in range(200):
        hidden, chosen = mask_row(ids, marks, np.random.default_rng(seed), MaskingConfig(), VOCABULARY)
        kinds = [hidden[chosen] == MASK, (hidden[chosen] != MASK) & (hidden[chosen] != 7), hidden[chosen] == 7]
        counts += [kind.sum() for kind in kinds]
        places[chosen] += 1
        total += len(chosen)
    assert total == 200 * 150
    by_chance = 0.1 / len(VOCABULARY.ordinary)  # a token may be replaced by itself
    for count, share in zip(counts, (0.8, 0.1 - by_chance, 0.1 + by_chance), strict=True):
        assert abs(count - share * total) < 4 * np.sqrt(total * share * (1 - share))
    assert abs(places - 30).max() < 5 * np.sqrt(200 * 0.15 * 0.85)


def test_what_may_replace_a_token():
    tokenizer = train_bert_tokenizer(["a cat", "a dog"], TokenizerConfig(vocab_size=40))
    vocabulary = mask_vocabulary(tokenizer)
    assert vocabulary.mask_id == tokenizer.token_to_id("[MASK]")
    assert vocabulary.ordinary.tolist() == list(range(5, tokenizer.get_vocab_size()))
    with pytest.raises(ValueError, match=r"\[MASK\] or <mask>"):
        mask_vocabulary(train_tokenizer(["a cat"], TokenizerConfig()))


def test_shares():
    with pytest.raises(ValueError, match="`masked_share`"):
        MaskingConfig(masked_share=0)
    assert MaskingConfig().places(128) == 19
    assert MaskingConfig().places(2) == 1

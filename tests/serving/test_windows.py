"""Windows over a text drop nothing and overlap as asked."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving import windows
from kerasllm.serving.rows import Row
from kerasllm.serving.windows import Window, cut_windows, merge_windows, window_places

from .handmade import PIECES, piece_tokenizer


@settings(deadline=None, max_examples=150, derandomize=True)
@given(tokens=st.integers(0, 200), size=st.integers(1, 40), stride=st.integers(0, 60))
def test_windows_hold_every_token_and_share_what_was_asked(tokens, size, stride):
    places = window_places(tokens, size, stride)
    assert {place for one in places for place in one} == set(range(tokens))
    assert all(len(one) <= size for one in places)
    for one, after in itertools.pairwise(places):
        assert one.stop - after.start == min(stride, size // 2)
        assert after.stop > one.stop  # each brings something new


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("words", [0, 1, 5, 6, 7, 40])
def test_rows_are_whole_texts_to_the_model(pair, words):
    text = " ".join(["ada", "met", "alan", "paris", "in"][number % 5] for number in range(words))
    tokenizer = piece_tokenizer()
    encoding = tokenizer.encode("who ?", text) if pair else tokenizer.encode(text)
    before = ["[CLS]", "who", "?", "[SEP]"] if pair else ["[CLS]"]
    found: dict[int, str] = {}
    for window in cut_windows(encoding, max_length=10, stride=2):
        pieces = [PIECES[token] for token in window.row.ids]
        inside = pieces[window.inside]
        assert pieces == [*before, *inside, "[SEP]"]
        assert len(pieces) <= 10
        assert window.row.types.tolist() == [0] * len(before) + [int(pair)] * (len(inside) + 1)
        found |= {window.first + index: piece for index, piece in enumerate(inside)}
    assert [found[place] for place in range(words)] == text.split()


def test_a_question_that_leaves_no_room_is_refused():
    encoding = piece_tokenizer().encode("who ? who ? who ?", "ada")
    with pytest.raises(ValueError, match=r"Received: 9 tokens of them\. Shorten the question"):
        cut_windows(encoding, max_length=9, stride=2)
    assert len(cut_windows(encoding, max_length=10, stride=2)) == 1


def test_too_many_windows_are_refused(monkeypatch):
    monkeypatch.setattr(windows, "MAX_WINDOWS", 2)
    tokenizer = piece_tokenizer()
    assert len(cut_windows(tokenizer.encode("ada " * 6), max_length=5, stride=0)) == 2
    with pytest.raises(ValueError, match=r"at most 2 windows of 5 tokens\. Received: one that takes 3\."):
        cut_windows(tokenizer.encode("ada " * 7), max_length=5, stride=0)


def test_each_token_is_judged_where_it_has_most_context():
    windows = [Window(Row(np.arange(8)), slice(1, 7), 0), Window(Row(np.arange(6)), slice(1, 5), 3)]
    values = [np.full((8, 1), 10.0), np.full((6, 1), 20.0)]
    # Distances to the nearest edge: 0 1 2 2 1 0 in the first, 0 1 1 0 from the fourth token in the second.
    assert merge_windows(windows, values)[:, 0].tolist() == [10, 10, 10, 10, 10, 20, 20]

"""The best answers are those of a search through all answers of all windows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving.answers import WindowLogits, best_answers

LOGITS = st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), max_size=8)
WINDOWS = st.lists(st.tuples(st.integers(0, 6), LOGITS, st.integers(-6, 6)), min_size=1, max_size=3)


def windows_of(drawn) -> list[WindowLogits]:
    return [
        WindowLogits(
            first, np.array([s for s, _ in rows], np.float32), np.array([e for _, e in rows], np.float32), null
        )
        for first, rows, null in drawn
    ]


def by_search(windows: list[WindowLogits], max_answer: int, null: bool) -> list[tuple[int, int, float]]:
    """The oracle: every answer of every window, one after another; probabilities over the distinct ones."""
    logits: dict[tuple[int, int], float] = {}
    for window in windows:
        for start in range(len(window.start)):
            for end in range(start, min(start + max_answer, len(window.end))):
                place = (window.first + start, window.first + end + 1)
                logits[place] = max(logits.get(place, -math.inf), float(window.start[start] + window.end[end]))
    ranked = sorted(logits.items(), key=lambda item: (-item[1], item[0]))
    if null:
        least = min(window.null for window in windows)
        ranked = sorted([*ranked, ((0, 0), least)], key=lambda item: -item[1])
    total = sum(math.exp(logit) for _, logit in ranked)
    return [(*place, math.exp(logit) / total) for place, logit in ranked]


@settings(deadline=None, max_examples=150, derandomize=True)
@given(drawn=WINDOWS, max_answer=st.integers(1, 9), null=st.booleans(), top_k=st.integers(1, 50))
def test_the_best_answers_are_those_of_a_full_search(drawn, max_answer, null, top_k):
    windows = windows_of(drawn)
    expected = by_search(windows, max_answer, null)[:top_k]
    answers = best_answers(windows, max_answer=max_answer, null=null, top_k=top_k)
    assert [answer[:2] for answer in answers] == [place[:2] for place in expected]
    np.testing.assert_allclose([answer.score for answer in answers], [place[2] for place in expected], rtol=1e-5)


def test_an_answer_keeps_to_the_longest_that_is_allowed():
    window = WindowLogits(0, np.array([9, 0, 0], np.float32), np.array([0, 0, 9], np.float32), 0.0)
    assert best_answers([window], max_answer=3)[0][:2] == (0, 3)
    assert best_answers([window], max_answer=2)[0][:2] == (0, 1)


def test_numbers_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="Received: 0 and 1"):
        best_answers([], max_answer=0)
    assert best_answers([]) == []

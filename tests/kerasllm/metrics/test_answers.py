"""Exact match and F1 against a plain second reading of SQuAD's evaluation, and examples worked by hand."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.questions import TrueAnswer
from kerasllm.metrics.answers import answer_metrics, normalized

PHRASES = st.lists(st.sampled_from(["the", "a", "an", "The", "cat", "Cat", "cats", "two", "2.5", "-", "!"]), max_size=5)
TEXTS = PHRASES.map(" ".join)


def words(text):
    """What is left of a text, word by word."""
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return [word for word in bare.split() if word not in ("a", "an", "the")]


def oracle(truth, given):
    """Exact match and F1 of one answer, words crossed off one by one."""
    exact, best = 0, 0.0
    for text in [text for text in truth if words(text)] or [""]:
        expected, received = words(text), words(given)
        exact = max(exact, int(expected == received))
        if not expected or not received:
            best = max(best, float(expected == received))
            continue
        left, shared = list(expected), 0
        for word in received:
            if word in left:
                left.remove(word)
                shared += 1
        if shared:
            precision, recall = shared / len(received), shared / len(expected)
            best = max(best, 2 * precision * recall / (precision + recall))
    return exact, best


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.lists(st.tuples(st.lists(TEXTS, max_size=3), TEXTS), min_size=1, max_size=4))
def test_scores_are_those_of_a_second_reading(questions):
    truth = [[TrueAnswer(text, 0) for text in texts] for texts, _ in questions]
    report = answer_metrics(truth, [given for _, given in questions])
    scores = [oracle(texts, given) for texts, given in questions]
    assert report["exact_match"] == pytest.approx(sum(exact for exact, _ in scores) / len(scores))
    assert report["f1"] == pytest.approx(sum(f1 for _, f1 in scores) / len(scores))


def score(truth, given):
    report = answer_metrics([[TrueAnswer(text, 0) for text in truth]], [given])
    return report["exact_match"], pytest.approx(report["f1"])


def test_by_hand():
    assert score(["the Eiffel Tower"], "Eiffel tower.") == (1, 1)
    assert score(["Denver Broncos", "the Broncos"], "Broncos") == (1, 1)
    assert score(["gold and red"], "red gold") == (0, 0.8)
    assert score(["gold"], "gold gold") == (0, 2 / 3)
    assert score(["gold"], "") == (0, 0)
    assert score([], "") == (1, 1)
    assert score([], "gold") == (0, 0)
    assert score(["..."], "") == (1, 1)  # as the official one: nothing is left of the true answer
    assert normalized("  The U.S.\tNavy's a-team ") == "us navys ateam"


def test_questions_without_answers_are_reported_apart():
    truth = [[TrueAnswer("gold", 0)], [], []]
    report = answer_metrics(truth, ["gold", "", "red"])
    assert report["answerable"] == {"examples": 1, "exact_match": 1, "f1": 1}
    assert report["unanswerable"] == {"examples": 2, "exact_match": 0.5, "f1": 0.5}
    assert report["exact_match"] == pytest.approx(2 / 3)
    assert "answerable" not in answer_metrics(truth[:1], ["gold"])

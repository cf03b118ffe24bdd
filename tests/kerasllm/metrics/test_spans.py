"""Span F1 as seqeval's default mode gives it, and by characters where there are no words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.tagged import TaggedSplit
from kerasllm.metrics.spans import as_spans, span_metrics
from kerasllm.serving.spans import Span, bio_spans

NAMES = ("a", "b", "c")
TAGS = st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"])
SENTENCES = st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=8), min_size=1, max_size=4)


def words_of(count):
    """Bounds of words of three characters with a space between."""
    return np.array([[4 * word, 4 * word + 3] for word in range(count)])


def in_characters(tags):
    return tuple(Span(name, 4 * start, 4 * end - 1) for name, start, end in bio_spans(tags))


def brute_force(sentences, side):
    """Every stretch of every sentence that is a span: its tags are of one name, and it can't begin or end elsewhere."""
    found = set()
    for row, pairs in enumerate(sentences):
        tags = ["O", *(pair[side] for pair in pairs), "O"]
        for start in range(1, len(tags) - 1):
            for end in range(start + 1, len(tags)):
                name = tags[start][2:]
                begins = tags[start] != "O" and (tags[start][0] == "B" or tags[start - 1][2:] != name)
                goes_on = all(tag == f"I-{name}" for tag in tags[start + 1 : end])
                ends = tags[end] != f"I-{name}"
                if begins and goes_on and ends:
                    found.add((row, name, start, end))
    return found


@settings(deadline=None, max_examples=150, derandomize=True)
@given(SENTENCES)
def test_scores_are_those_of_brute_force(sentences):
    truth, proposed = brute_force(sentences, 0), brute_force(sentences, 1)
    split = TaggedSplit(
        ["x"] * len(sentences),
        [in_characters([true for true, _ in pairs]) for pairs in sentences],
        [words_of(len(pairs)) for pairs in sentences],
    )
    report = span_metrics(split, [in_characters([tag for _, tag in pairs]) for pairs in sentences], NAMES)

    def expected(name=None):
        pick = {which for which in truth if name in (None, which[1])}
        took = {which for which in proposed if name in (None, which[1])}
        right = len(pick & took)
        precision, recall = right / max(1, len(took)), right / max(1, len(pick))
        return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(1e-12, precision + recall)}

    for key, value in expected().items():
        assert report[key] == pytest.approx(value)
    for name in NAMES:
        assert report["per_type"][name] == pytest.approx(
            expected(name) | {"spans": sum(which[1] == name for which in truth)}
        )
    occurring = {which[1] for which in truth | proposed}
    for key, value in report["macro"].items():
        assert value == pytest.approx(sum(expected(name)[key] for name in occurring) / max(1, len(occurring)))


def test_a_word_is_judged_by_its_first_character():
    split = TaggedSplit(["@ada's Paris"], [(Span("a", 0, 6), Span("b", 7, 12))], [np.array([[0, 6], [7, 12]])])
    # Cut short, the first one still begins the word; the second begins within a word, so it has none.
    report = span_metrics(split, [[Span("a", 0, 4), Span("b", 8, 12)]], NAMES)
    assert (report["per_type"]["a"]["f1"], report["per_type"]["b"]["f1"]) == (1.0, 0.0)
    assert (report["precision"], report["recall"]) == (1.0, 0.5)


def test_without_words_every_character_counts():
    split = TaggedSplit(["Ada Lovelace"], [(Span("a", 0, 12),)])
    entity = {"entity_group": "a", "start": 0, "end": 12, "score": 1.0, "word": "Ada Lovelace"}
    assert span_metrics(split, [as_spans([entity])], NAMES)["f1"] == 1
    assert span_metrics(split, [as_spans([entity | {"end": 11}])], NAMES)["f1"] == 0
    assert span_metrics(split, [as_spans([entity | {"entity_group": "b"}])], NAMES)["f1"] == 0


def test_nothing_to_find_and_nothing_found_is_zero_not_an_error():
    report = span_metrics(TaggedSplit(["x"], [()]), [[]], NAMES)
    assert (report["f1"], report["macro"]["f1"], report["examples"]) == (0, 0, 1)

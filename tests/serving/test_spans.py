"""Any sequence of BIO labels becomes spans, as the CoNLL evaluation reads it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving.spans import Span, bio_spans, first_pieces, trim, word_offsets

LABELS = st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b", "a", "B-a-b"]), max_size=12)


def conll_spans(labels: list[str]) -> list[Span]:
    """The oracle: conlleval's own two questions, whether a chunk ends before a word and whether one starts there."""
    spans, start = [], None
    tags = [
        ("O", "") if label == "O" else (label if label[1:2] == "-" else "I-" + label).split("-", 1) for label in labels
    ]
    for place, (tag, name) in enumerate([*tags, ("O", "")]):
        before, name_before = tags[place - 1] if place else ("O", "")
        ends = before != "O" and (tag in ("B", "O") or name != name_before)
        starts = tag != "O" and (tag == "B" or before == "O" or name != name_before)
        if ends:
            spans.append(Span(name_before, start, place))
        if starts:
            start = place
    return spans


@settings(deadline=None, max_examples=200, derandomize=True)
@given(LABELS)
def test_any_sequence_is_read_as_conlleval_reads_it(labels):
    assert bio_spans(labels) == conll_spans(labels)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(LABELS)
def test_spans_are_in_order_apart_and_cover_exactly_what_is_labelled(labels):
    spans = bio_spans(labels)
    covered = [place for span in spans for place in range(span.start, span.end)]
    assert covered == [place for place, label in enumerate(labels) if label != "O"]


def test_spans_by_hand():
    assert bio_spans(["B-x", "I-x", "O", "I-y", "B-y", "I-x"]) == [
        Span("x", 0, 2), Span("y", 3, 4), Span("y", 4, 5), Span("x", 5, 6)
    ]  # fmt: skip
    assert bio_spans(["B-creative-work", "I-creative-work"]) == [Span("creative-work", 0, 2)]


def test_the_first_piece_speaks_for_a_word_and_its_offsets_reach_to_its_last():
    words = [None, 0, 0, 1, 2, 2, None]
    offsets = [(0, 0), (0, 3), (3, 6), (7, 8), (8, 10), (10, 12), (0, 0)]
    assert first_pieces(words).tolist() == [1, 3, 4]
    assert word_offsets(offsets, words).tolist() == [[0, 6], [7, 8], [8, 12]]
    assert first_pieces([]).shape == (0,)
    assert word_offsets([], []).shape == (0, 2)
    assert first_pieces([]).dtype == np.int64


def test_white_space_is_no_part_of_a_span():
    assert trim(" ab c ", 0, 6) == (1, 5)
    assert trim("  ", 0, 2) == (2, 2)

"""Rows of two segments, the second one the continuation of the first or not."""

import numpy as np
import pytest

from kerasllm.data.next_sentence import FOLLOWS, RANDOM, SegmentPairs
from kerasllm.data.token_stream import SPECIAL

from .streams import stream

CLS, SEP = 2, 3


def numbered(*lengths):
    """Documents whose tokens are 1000 times the document's number plus the place: 1000, 1001, ..."""
    return stream([range(1000 * number, 1000 * number + length) for number, length in enumerate(lengths, 1)], SEP)


def test_rows():
    pairs = SegmentPairs(numbered(50, 7, 30, 20), CLS, SEP, 24)
    labels, cuts = [], set()
    for index in range(len(pairs)):
        for seed in range(60):
            ids, marks, segments, label = pairs.row(index, np.random.default_rng(seed))
            assert len(ids) == len(marks) == len(segments) <= 24
            assert ((ids == CLS) | (ids == SEP)).tolist() == (marks == SPECIAL).tolist()
            first, second = ids[(segments == 0) & (marks != SPECIAL)], ids[(segments == 1) & (marks != SPECIAL)]
            assert ids.tolist() == [CLS, *first, SEP, *second, SEP]
            assert segments.tolist() == [0] * (len(first) + 2) + [1] * (len(second) + 1)
            assert (np.diff(first) == 1).all()
            assert (np.diff(second) == 1).all()
            assert 2 not in (first[0] // 1000, second[0] // 1000)  # a document of 7 tokens is too short
            follows = second[0] == first[-1] + 1
            assert (label == FOLLOWS) == follows
            assert follows or first[0] // 1000 != second[0] // 1000
            labels.append(label)
            cuts.add(len(first))
    assert set(labels) == {FOLLOWS, RANDOM}
    assert abs(np.mean(labels) - 0.5) < 4 * 0.5 / np.sqrt(len(labels))
    assert len(cuts) > 10


def test_it_needs_two_documents():
    with pytest.raises(ValueError, match="two documents of 8"):
        SegmentPairs(numbered(50, 5), CLS, SEP, 24)
    with pytest.raises(ValueError, match="at least 11 tokens"):
        SegmentPairs(numbered(50, 50), CLS, SEP, 10)

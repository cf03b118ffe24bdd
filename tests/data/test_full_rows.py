"""Full rows: the stream in order, from the first token to the last that fills a row."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.full_rows import FullRows
from kerasllm.data.token_stream import BEGINS, SPECIAL

from .streams import stream

CLS, SEP = 2, 3


def packed(documents, length):
    """The slow obvious way, all at once: ids and marks, both [rows, length]."""
    joined = np.concatenate(documents).astype(np.uint16)
    between = np.cumsum([len(document) for document in documents])[:-1]
    ids = np.insert(joined, between, SEP)
    marks = np.insert(np.full(len(joined), BEGINS, np.uint8), between, SPECIAL)
    rows, inner = len(ids) // (length - 2), length - 2
    ids = np.pad(ids[: rows * inner].reshape(rows, inner), ((0, 0), (1, 1)), constant_values=((0, 0), (CLS, SEP)))
    marks = np.pad(marks[: rows * inner].reshape(rows, inner), ((0, 0), (1, 1)), constant_values=SPECIAL)
    return ids, marks


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(3, 9))
def test_rows_are_those_of_packing_in_memory(lengths, length):
    ids = iter(range(10, 1000))
    documents = [[next(ids) for _ in range(size)] for size in lengths]
    expected, marks = packed(documents, length)
    if not len(expected):
        with pytest.raises(ValueError, match="at least one row"):
            FullRows(stream(documents, SEP), CLS, SEP, length)
        return
    rows = FullRows(stream(documents, SEP), CLS, SEP, length)
    assert len(rows) == len(expected)
    for index in range(len(rows)):
        found, found_marks, segments, _ = rows.row(index, np.random.default_rng())
        assert (found.tolist(), found.dtype) == (expected[index].tolist(), np.uint16)
        assert (found_marks.tolist(), found_marks.dtype) == (marks[index].tolist(), np.uint8)
        assert (segments.tolist(), segments.dtype) == ([0] * length, np.uint8)


def test_a_row_has_room_for_text():
    with pytest.raises(ValueError, match="row of 2 tokens"):
        FullRows(stream([[5, 6]], SEP), CLS, SEP, 2)

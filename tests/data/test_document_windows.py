"""Windows of running text: all of it, each token once, and nothing across a border."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.document_windows import Windows

from .streams import stream

END = 0
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=8)
DOCUMENTS = st.lists(st.lists(st.integers(END, 9), max_size=9), min_size=1, max_size=8)  # that may hold END too


def documents(lengths):
    ids = iter(range(1, 1000))
    return [[next(ids) for _ in range(length)] for length in lengths]


class InMemory:
    """The slow obvious way: all of the text in memory, and a mark at every token whether a document opens there."""

    def __init__(self, texts, length):
        self.ids = np.array([number for text in texts for number in (END, *text)] + [END], np.int32)
        self.opens = np.zeros(len(self.ids), np.int32)
        self.opens[np.cumsum([0, *(len(text) + 1 for text in texts)])] = 1
        self.length, self.tokens = length, len(self.ids) - 1

    def row(self, index, shift):
        start = index * self.length - round(shift * (self.length - 1))
        stop = min(start + self.length, self.tokens)
        start = max(start, 0)
        segments = 1 + np.cumsum(self.opens[start:stop], dtype=np.int32)
        return self.ids[start:stop], self.ids[start + 1 : stop + 1], segments


@given(DOCUMENTS, st.integers(1, 12), st.floats(0, 1))
@settings(max_examples=200, deadline=None)
def test_windows_are_those_of_text_in_memory(texts, length, shift):
    rows, expected = Windows(stream(texts, END), length), InMemory(texts, length)
    assert (rows.length, rows.tokens, len(rows)) == (length, expected.tokens, -(-expected.tokens // length))
    for index in range(len(rows)):
        for found, true in zip(rows.row(index, shift), expected.row(index, shift), strict=True):
            np.testing.assert_array_equal(found, true)
            assert found.dtype == np.int32


@given(LENGTHS, st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_windows_ask_for_every_token_once(lengths, length):
    texts = documents(lengths)
    rows = Windows(stream(texts, END), length)
    parts = [rows.row(index, 0.0) for index in range(len(rows))]
    ids, labels, segments = (np.concatenate(part) for part in zip(*parts, strict=True))
    expected = np.concatenate([[END, *text] for text in texts])
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(labels, [*expected[1:], END])
    assert rows.tokens == len(expected)
    assert (segments > 0).all()


def test_attention_of_windows_stays_inside_documents_and_passes_cut_elsewhere():
    rows = Windows(stream(documents([3, 5]), END), 6)
    ids, labels, segments = rows.row(0, 0.0)
    np.testing.assert_array_equal(ids, [END, 1, 2, 3, END, 4])
    np.testing.assert_array_equal(labels, [1, 2, 3, END, 4, 5])
    assert len(set(segments[:4])) == 1
    assert set(segments[4:]).isdisjoint(segments[:4])
    np.testing.assert_array_equal(rows.row(1, 0.4)[0], [END, 4, 5, 6, 7, 8])
    assert len(rows.row(0, 1.0)[0]) == 1

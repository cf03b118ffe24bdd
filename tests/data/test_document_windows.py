"""Windows of running text: all of it, each token once, and nothing across a border."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.document_windows import Windows

END = 0
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=8)


def documents(lengths):
    ids = iter(range(1, 1000))
    return [np.array([next(ids) for _ in range(length)], np.int32) for length in lengths]


@given(LENGTHS, st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_windows_ask_for_every_token_once(lengths, length):
    texts = documents(lengths)
    rows = Windows(texts, END, length)
    parts = [rows.row(index, 0.0) for index in range(len(rows))]
    ids, labels, segments = (np.concatenate(part) for part in zip(*parts, strict=True))
    stream = np.concatenate([np.concatenate([[END], text]) for text in texts])
    np.testing.assert_array_equal(ids, stream)
    np.testing.assert_array_equal(labels, [*stream[1:], END])
    assert rows.tokens == len(stream)
    assert (segments > 0).all()


def test_attention_of_windows_stays_inside_documents_and_passes_cut_elsewhere():
    rows = Windows(documents([3, 5]), END, 6)
    ids, labels, segments = rows.row(0, 0.0)
    np.testing.assert_array_equal(ids, [END, 1, 2, 3, END, 4])
    np.testing.assert_array_equal(labels, [1, 2, 3, END, 4, 5])
    assert len(set(segments[:4])) == 1
    assert set(segments[4:]).isdisjoint(segments[:4])
    np.testing.assert_array_equal(rows.row(1, 0.4)[0], [END, 4, 5, 6, 7, 8])
    assert len(rows.row(0, 1.0)[0]) == 1

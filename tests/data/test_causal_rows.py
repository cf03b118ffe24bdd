"""Rows that predict the next token: all of the text, each token once, and nothing across a border."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.causal_rows import CausalRows, Packed, Windows, positions

END = 0
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=8)


def documents(lengths):
    ids = iter(range(1, 1000))
    return [np.array([next(ids) for _ in range(length)], np.int32) for length in lengths]


def elements(dataset, count):
    return [{name: np.asarray(array) for name, array in batch.items()} for batch in dataset.take(count)]


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


@given(LENGTHS)
@settings(max_examples=50, deadline=None)
def test_packed_samples_are_whole_and_ask_for_answers_alone(lengths):
    texts = [text for text in documents(lengths) if len(text) > 1]
    asked = [np.arange(len(text)) >= 2 for text in texts]
    rows = Packed(list(zip(texts, asked, strict=True)), 8)
    found = {}
    for index in range(len(rows)):
        ids, labels, segments = rows.row(index, 0.0)
        assert len(ids) <= 8
        for number in np.unique(segments):
            here = segments == number
            found[int(ids[here][0])] = (ids[here], labels[here])
    assert len(found) == len(texts)
    for text, known in zip(texts, asked, strict=True):
        ids, labels = found[int(text[0])]
        np.testing.assert_array_equal(ids, text[:-1])
        np.testing.assert_array_equal(labels, np.where(known[1:], text[1:], -1))


def test_positions_begin_anew():
    given = [[1, 1, 2, 2, 2, 0], [3, 3, 3, 3, 4, 4]]
    np.testing.assert_array_equal(positions(np.array(given)), [[0, 1, 0, 1, 2, 0], [0, 1, 2, 3, 0, 1]])


def test_batches_have_one_shape_and_go_on_where_an_epoch_ended():
    rows = CausalRows(Windows(documents([9, 9, 9]), END, 4), batch_size=3, padding=END, seed=1)
    assert (len(rows), rows.steps) == (8, 3)
    whole = [(inputs["token_ids"].numpy(), labels.numpy()) for inputs, labels in rows.training(0).take(6)]
    assert {ids.shape for ids, _ in whole} == {(3, 4)}
    later = [(inputs["token_ids"].numpy(), labels.numpy()) for inputs, labels in rows.training(1).take(3)]
    for before, after in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(before, after)
    dataset, steps = rows.evaluation()
    scored = np.concatenate([batch["labels"] for batch in elements(dataset, steps)])
    assert (scored >= 0).sum() == 30
    with pytest.raises(ValueError, match="at least two tokens"):
        CausalRows(Packed([], 8), batch_size=1, padding=END)

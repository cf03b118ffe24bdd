"""Rows that predict the next token: packed samples are whole, batches have one shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.causal_rows import CausalRows, Packed, positions
from kerasllm.data.document_windows import Windows

from .streams import stream

END = 0
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=8)


def documents(lengths):
    ids = iter(range(1, 1000))
    return [np.array([next(ids) for _ in range(length)], np.int32) for length in lengths]


def elements(dataset, count):
    return [{name: np.asarray(array) for name, array in batch.items()} for (batch,) in dataset.take(count)]


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
    rows = CausalRows(Windows(stream(documents([9, 9, 9]), END), 4), batch_size=3, padding=END, seed=1)
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

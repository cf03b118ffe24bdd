"""Rows are padded, grouped and run, and each gets back what is its own."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving import load
from kerasllm.serving.graph import Graph, Row, group, pad
from kerasllm.serving.manifest import Preprocessing

from .handmade import piece_table, token_graph, write_bundle

TABLE = np.arange(13, dtype=np.float32)


def opened(folder, batch_tokens=None, **preprocessing) -> Graph:
    """A graph that gives each token its own id as "start_logits"."""
    graph = token_graph({"start_logits": TABLE})
    settings = {"max_length": 9, "pad_token_id": 12, **preprocessing}
    variants = {"fp32": {"file": "onnx/fp32.onnx", "bytes": len(graph), "batch_tokens": batch_tokens}}
    bundle = write_bundle(folder, {"fp32": graph}, preprocessing=settings, variants=variants, task="question-answering")
    return load(bundle).graph


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    rows=st.lists(st.lists(st.integers(1, 99), max_size=7), min_size=1, max_size=5),
    side=st.sampled_from(["right", "left"]),
    padding=st.sampled_from(["longest", "max_length"]),
    fill=st.integers(0, 3),
    typed=st.booleans(),
)
def test_padding_fills_the_named_side_and_the_mask_tells_it(rows, side, padding, fill, typed):
    preprocessing = Preprocessing(max_length=7, pad_token_id=fill, padding=padding, padding_side=side)
    segments = [[place % 2 for place in row] for row in rows]
    given = [
        Row(np.array(row, np.int32), np.array(types, np.uint8) if typed else None)
        for row, types in zip(rows, segments, strict=True)
    ]
    arrays = pad(given, preprocessing)
    length = 7 if padding == "max_length" else max(1, *map(len, rows))
    assert {array.shape for array in arrays.values()} == {(len(rows), length)}
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.int64)}
    for index, row in enumerate(rows):
        ids, mask, types = (arrays[name][index] for name in ("input_ids", "attention_mask", "token_type_ids"))
        filler = [fill] * (length - len(row))
        assert ids.tolist() == (row + filler if side == "right" else filler + row)
        assert ids[mask == 1].tolist() == row
        assert types[mask == 1].tolist() == (segments[index] if typed else [0] * len(row))
        assert not types[mask == 0].any()


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    lengths=st.lists(st.integers(0, 50), max_size=40),
    batch_size=st.integers(1, 8),
    batch_tokens=st.none() | st.integers(1, 200),
)
def test_groups_hold_every_row_once_by_length_within_both_limits(lengths, batch_size, batch_tokens):
    groups = list(group(lengths, batch_size, batch_tokens))
    order = [place for places in groups for place in places.tolist()]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[place] for place in order] == sorted(lengths)
    for places in groups:
        assert 1 <= len(places) <= batch_size
        if batch_tokens is not None and len(places) > 1:
            assert len(places) * max(lengths[place] for place in places) <= batch_tokens
    for one, after in itertools.pairwise(groups):  # no group could have held one more
        grown = (len(one) + 1) * lengths[after[0]]
        assert len(one) == batch_size or (batch_tokens is not None and grown > batch_tokens)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(
    rows=st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=9), max_size=40),
    side=st.sampled_from(["right", "left"]),
    padding=st.sampled_from(["longest", "max_length"]),
    batch_tokens=st.sampled_from([None, 1, 16]),
)
def test_each_row_gets_its_own_tokens_back_in_order(tmp_path_factory, rows, side, padding, batch_tokens):
    graph = opened(tmp_path_factory.mktemp("b") / "b", batch_tokens, padding_side=side, padding=padding)
    results = graph.run_all([Row(np.array(row, np.int32)) for row in rows])
    assert [result["start_logits"].tolist() for result in results] == rows


def test_segments_reach_the_graph_that_reads_them(tmp_path):
    table = np.concatenate([piece_table(1), piece_table(1) + 1])[:, 0]
    graph = token_graph({"start_logits": table}, types=True)
    roles = {name: name for name in ("input_ids", "attention_mask", "token_type_ids")}
    folder = write_bundle(tmp_path / "b", {"fp32": graph}, inputs=roles, task="question-answering")
    rows = [Row(np.array([3, 4, 5]), np.array([0, 1, 1])), Row(np.array([3, 4]))]
    results = load(folder).graph.run_all(rows)
    assert [result["start_logits"].tolist() for result in results] == [[0, 1, 1], [0, 0]]


def test_only_the_outputs_that_are_asked_for_are_fetched(tmp_path):
    graph = token_graph({"start_logits": TABLE, "end_logits": -TABLE})
    folder = write_bundle(tmp_path / "b", {"fp32": graph}, task="question-answering", outputs=["start_logits"])
    rows = [Row(np.array([3, 4]))]
    opened = load(folder).graph
    assert opened.outputs == ("start_logits",)
    assert set(opened.run(rows)) == {"start_logits"}
    assert opened.run(rows, ["end_logits"])["end_logits"].tolist() == [[-3, -4]]


def test_a_run_of_no_rows_is_refused_and_a_list_of_none_is_not(tmp_path):
    graph = opened(tmp_path / "b")
    with pytest.raises(ValueError, match="at least one row"):
        graph.run([])
    assert graph.run_all([]) == []
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        graph.pieces([], 0)

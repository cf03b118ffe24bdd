"""Callers run the graph together, and each gets what it would get alone."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from kerasllm.serving import load
from kerasllm.serving.batching import BatchedGraph
from kerasllm.serving.graph import Graph, Row

from .handmade import mean_graph, token_graph, write_bundle
from .test_graph import opened

PATIENCE = 30  # seconds until a test that hangs fails


class Gate:
    """A batched graph whose runs are recorded, and wait until the gate is open."""

    def __init__(self, graph: Graph, monkeypatch, runs: int = 1) -> None:
        self.open, self.sizes, self.reports = threading.Event(), [], []
        run = Graph.run

        def waiting(this, rows, outputs=None):
            self.sizes.append(len(rows))
            assert self.open.wait(PATIENCE)
            return run(this, rows, outputs)

        monkeypatch.setattr(Graph, "run", waiting)
        self.graph = BatchedGraph(graph, runs=runs, observe=self.reports.append)
        self.pool = ThreadPoolExecutor(20)

    def call(self, *lengths, outputs=None):
        """A call from a thread of its own, which waits or runs once this returns."""
        seen = len(self.sizes) + self.graph.waiting
        future = self.pool.submit(self.graph.run, [row(length) for length in lengths], outputs)
        while len(self.sizes) + self.graph.waiting == seen and not future.done():
            threading.Event().wait(0.001)
        return future

    def results(self, *futures):
        self.open.set()
        try:
            return [future.result(PATIENCE) for future in futures]
        finally:
            self.pool.shutdown()


def row(length, first=1):
    return Row(np.arange(first, first + length) % 12)


def scaled_graph() -> bytes:
    """The mean of scores, after one int8 scale for the whole batch, as graphs of int8 have it."""
    model = onnx.load_from_string(mean_graph())
    last = model.graph.node[-1]
    last.output[0] = "exact"
    model.graph.node.extend(
        [
            helper.make_node("DynamicQuantizeLinear", ["exact"], ["small", "scale", "zero"]),
            helper.make_node("DequantizeLinear", ["small", "scale", "zero"], ["logits"]),
        ]
    )
    return model.SerializeToString()


def test_calls_that_wait_run_together(tmp_path, monkeypatch):
    gate = Gate(opened(tmp_path / "b"), monkeypatch)
    futures = [gate.call(4), gate.call(4), gate.call(3, 4), gate.call(4)]
    assert gate.graph.waiting == 3
    results = gate.results(*futures)
    assert gate.sizes == [1, 4]
    assert [result["start_logits"].tolist() for result in results[:2]] == [[[1, 2, 3, 4]]] * 2
    assert results[2]["start_logits"][:, :3].tolist() == [[1, 2, 3]] * 2
    assert results[2]["start_logits"][1, 3] == 4
    assert [(report.rows, report.tokens, len(report.waited)) for report in gate.reports] == [(1, 4, 1), (4, 15, 3)]
    assert gate.graph.waiting == 0


def test_a_call_finds_the_graph_idle_and_runs_at_once(tmp_path):
    reports = []
    graph = BatchedGraph(opened(tmp_path / "b"), observe=reports.append)
    here = []
    graph._observe = lambda report: here.append(threading.current_thread())
    graph.run([row(2)])
    graph.run([row(2)])
    assert here == [threading.current_thread()] * 2  # no other thread takes part


def test_as_many_runs_at_once_as_allowed(tmp_path, monkeypatch):
    gate = Gate(opened(tmp_path / "b"), monkeypatch, runs=2)
    futures = [gate.call(4) for _ in range(4)]
    assert (gate.sizes, gate.graph.waiting) == ([1, 1], 2)
    gate.results(*futures)
    assert sum(gate.sizes) == 4


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        ([(8,), (2,), (8,), (2,)], [2, 2]),  # like lengths together, who came first runs first
        ([(8, 8), (6,), (5,)], [3, 1]),  # 5 of 8 tokens is too little
        ([(4,)] * 40, [32, 8]),
        ([(4,) * 20, (4,) * 20, (4,)], [21, 20]),
    ],
)
def test_who_runs_with_whom(tmp_path, monkeypatch, waiting, expected):
    gate = Gate(opened(tmp_path / "b"), monkeypatch)
    gate.pool = ThreadPoolExecutor(len(waiting) + 1)
    futures = [gate.call(1), *(gate.call(*lengths) for lengths in waiting)]
    results = gate.results(*futures)
    assert gate.sizes == [1, *expected]
    assert [result["start_logits"].shape for result in results[1:]] == [(len(w), max(w)) for w in waiting]


def test_a_run_has_no_more_tokens_than_the_bundle_allows(tmp_path, monkeypatch):
    gate = Gate(opened(tmp_path / "b", batch_tokens=12), monkeypatch)
    futures = [gate.call(1), *(gate.call(length) for length in (4, 3, 4, 4))]
    gate.results(*futures)
    assert gate.sizes == [1, 3, 1]


def test_rows_that_depend_on_each_other_never_meet_strangers(tmp_path, monkeypatch):
    graph = load(write_bundle(tmp_path / "b", {"int8": scaled_graph()})).graph
    calm, loud = Row(np.array([5, 6])), Row(np.array([0, 0]))
    alone, mixed = graph.run([calm])["logits"], graph.run([calm, loud])["logits"]
    assert np.abs(alone - mixed[:1]).max() > 0.001  # so it matters
    gate = Gate(graph, monkeypatch)
    futures = [gate.pool.submit(gate.graph.run, rows) for rows in ([calm], [loud], [calm, loud], [calm])]
    while len(gate.sizes) + gate.graph.waiting < 4:
        threading.Event().wait(0.001)
    results = [result["logits"] for result in gate.results(*futures)]
    assert sorted(gate.sizes) == [1, 1, 1, 2]
    for result, expected in ((results[0], alone), (results[2], mixed), (results[3], alone)):
        np.testing.assert_array_equal(result, expected)


def test_other_outputs_run_apart(tmp_path, monkeypatch):
    tables = {name: np.arange(13, dtype=np.float32) for name in ("start_logits", "end_logits")}
    gate = Gate(
        load(write_bundle(tmp_path / "b", {"fp32": token_graph(tables)}, task="question-answering")).graph, monkeypatch
    )
    results = gate.results(gate.call(2), gate.call(2, outputs=["end_logits"]), gate.call(2))
    assert gate.sizes == [1, 1, 1]
    assert [set(result) for result in results] == [set(tables), {"end_logits"}, set(tables)]


def test_errors_reach_their_callers(tmp_path, monkeypatch):
    gate = Gate(opened(tmp_path / "b"), monkeypatch)
    first, good = gate.call(3), gate.call(3)
    seen = gate.graph.waiting
    bad = gate.pool.submit(gate.graph.run, [Row(np.array([1, 99, 1]))])  # the graph knows 13 tokens
    while gate.graph.waiting == seen:
        threading.Event().wait(0.001)
    assert len(gate.results(first, good)) == 2
    with pytest.raises(Exception, match="99"):
        bad.result(PATIENCE)
    assert gate.sizes == [1, 2, 1, 1]
    with pytest.raises(ValueError, match="at least one row"):
        gate.graph.run([])


@settings(deadline=None, max_examples=20, derandomize=True)
@given(
    calls=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=12),
    side=st.sampled_from(["right", "left"]),
    padding=st.sampled_from(["longest", "max_length"]),
)
def test_values_are_those_of_a_run_alone(tmp_path_factory, calls, side, padding):
    alone = opened(tmp_path_factory.mktemp("g") / "b", padding_side=side, padding=padding)
    graph = BatchedGraph(alone, runs=1)
    inputs = [[row(length, 1 + place) for length in lengths] for place, lengths in enumerate(calls)]
    with ThreadPoolExecutor(len(calls)) as pool:
        results = list(pool.map(graph.run, inputs))
    for rows, result in zip(inputs, results, strict=True):
        np.testing.assert_array_equal(result["start_logits"], alone.run(rows)["start_logits"])


def test_a_task_takes_it_in_place_of_its_graph(tmp_path):
    served = load(write_bundle(tmp_path / "b", {"fp32": mean_graph()}))
    texts = ["good film", "very bad", "not good", "film"] * 20
    expected = served(texts)
    served.graph = BatchedGraph(served.graph)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda text: served(text)[0], texts)) == expected
    assert served(texts) == expected

"""Measuring counts and draws right; the figures themselves are benchmarks' business."""

from kerasllm.serving import load
from kerasllm.serving.measurement import measure, measure_latency, sample_inputs, sample_texts

from .handmade import word_tokenizer, write_embedder, write_filler, write_reader, write_tagger


def test_latency_counts_its_runs_and_orders_its_percentiles():
    calls = []
    result = measure_latency(lambda: calls.append(1), seconds=60, most=20)
    assert result["runs"] == 20
    assert len(calls) == 25  # five to warm up
    assert 0 < result["p50"] <= result["p95"] <= result["p99"]


def test_sample_texts_are_of_known_words_and_seeded():
    tokenizer = word_tokenizer()
    texts = sample_texts(tokenizer, tokens=5, count=3)
    assert texts == sample_texts(tokenizer, tokens=5, count=3)
    assert len(set(texts)) > 1
    assert all(len(tokenizer.encode(text).ids) >= 5 for text in texts)


def test_measure_gives_a_speed_for_each_batch_size(bundle):
    result = measure(load(bundle), ["good", "bad film"], batch_sizes=[1, 2], seconds=0.01)
    assert list(result["texts_per_second"]) == [1, 2]
    assert min(result["texts_per_second"].values()) > 0


def test_sample_inputs_are_what_each_task_takes(tmp_path):
    for make in (write_tagger, write_reader, write_filler, write_embedder):
        served = load(make(tmp_path / make.__name__))
        assert len(served(sample_inputs(served, tokens=6, count=3))) == 3

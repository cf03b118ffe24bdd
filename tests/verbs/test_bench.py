"""`kerasllm bench` says what it measured, whatever the figures are."""

import json

import pytest

from ..serving.handmade import write_embedder, write_filler, write_reader, write_tagger

QUICK = ("--seconds", "0.01", "--batch-sizes", "1,4")


def test_json_has_a_row_a_variant_and_thread_count(command, bundle):
    result = command("bench", bundle, *QUICK, "--threads", "1,2", "--tokens", "5", "--json")
    report = json.loads(result.out)
    assert result.code == 0
    assert [(row["variant"], row["threads"]) for row in report["rows"]] == [("fp32", 1), ("fp32", 2)]
    for row in report["rows"]:
        assert row["latency_ms"]["p50"] <= row["latency_ms"]["p95"] <= row["latency_ms"]["p99"]
        assert set(row["texts_per_second"]) == {"1", "4"}
    assert report["cpu"]["cores"] >= 1


def test_the_table_has_the_same(command, bundle, tmp_path):
    (tmp_path / "texts.txt").write_text("good film\nbad\n")
    result = command("bench", bundle, *QUICK, "--threads", "1", "--file", tmp_path / "texts.txt")
    assert result.code == 0
    assert "p95 ms" in result.out
    assert "fp32" in result.out


@pytest.mark.parametrize("make", [write_tagger, write_reader, write_filler, write_embedder])
def test_every_task_can_be_measured(command, tmp_path, make):
    result = command("bench", make(tmp_path / "b"), *QUICK, "--threads", "1", "--tokens", "5", "--json")
    (row,) = json.loads(result.out)["rows"]
    assert min(row["texts_per_second"].values()) > 0


@pytest.mark.parametrize(
    "words",
    [["--threads", "0"], ["--batch-sizes", "a"], ["--tokens", "0"], ["--seconds", "-1"], ["--variants", "int4"]],
)
def test_bad_requests_end_in_one_sentence(command, bundle, words):
    result = command("bench", bundle, *words)
    assert (result.code, result.out) == (2, "")
    assert "Received" in result.err

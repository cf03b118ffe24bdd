"""`kerasllm predict`: texts from arguments, a file or standard input."""

import io
import json
import sys

import pytest

TEXTS = ["good film", "bad"]


def labels(out: str) -> list[str]:
    return [line.split("\t")[0] for line in out.splitlines()]


def test_arguments(command, bundle):
    result = command("predict", bundle, *TEXTS)
    assert (result.code, result.err) == (0, "")
    assert labels(result.out) == ["positive", "negative"]
    assert [line.split("\t")[2] for line in result.out.splitlines()] == TEXTS


def test_a_file_with_any_line_ends_and_a_blank_line(command, bundle, tmp_path):
    (tmp_path / "texts.txt").write_bytes("\ufeffgood film\r\n\nbad\u2028bad".encode())
    result = command("predict", bundle, "--file", tmp_path / "texts.txt", "--json")
    lines = result.out.rstrip("\n").split("\n")  # splitlines would cut at U+2028, too
    assert [json.loads(line)["text"] for line in lines] == ["good film", "", "bad\u2028bad"]


def test_standard_input(command, bundle, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good film\nbad\n")))
    assert labels(command("predict", bundle).out) == ["positive", "negative"]


def test_json_lines_with_all_labels(command, bundle):
    result = command("predict", bundle, "good film", "--json", "--top-k", "2", "--threads", "1", "--variant", "fp32")
    answer = json.loads(result.out)
    assert answer["text"] == "good film"
    assert [entry["label"] for entry in answer["labels"]] == ["positive", "negative"]
    assert sum(entry["score"] for entry in answer["labels"]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--file", "nowhere.txt"], "no file of texts at nowhere.txt"),
        (["good", "--top-k", "0"], "top_k must be at least 1"),
        (["good", "--variant", "int4"], "Received: 'int4'"),
        (["good", "--providers", "tpu"], "Received: 'tpu'"),
        (["good", "--file", "texts.txt"], "from one place"),
    ],
)
def test_bad_requests_end_in_one_sentence(command, bundle, words, says):
    result = command("predict", bundle, *words)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert len(result.err.strip().splitlines()) == 1


@pytest.mark.parametrize(("data", "says"), [(b"good\nbad \xff\n", "other bytes in line 2"), (b"", "which is empty")])
def test_files_that_are_no_texts(command, bundle, tmp_path, data, says):
    (tmp_path / "texts.txt").write_bytes(data)
    result = command("predict", bundle, "--file", tmp_path / "texts.txt")
    assert result.code == 2
    assert says in result.err


def test_a_damaged_bundle(command, bundle, tmp_path):
    (tmp_path / "kerasllm.json").write_text("{}")
    result = command("predict", tmp_path, "good")
    assert result.code == 2
    assert "kerasllm.json is damaged" in result.err

"""`kerasllm predict`: texts from arguments, a file or standard input."""

import io
import json
import sys

import numpy as np
import pytest

from ..serving.handmade import (
    mean_graph,
    piece_table,
    piece_tokenizer,
    write_bundle,
    write_embedder,
    write_filler,
    write_reader,
    write_tagger,
)

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


@pytest.fixture(scope="session")
def bundles(tmp_path_factory):
    """A bundle for each other task."""
    folder = tmp_path_factory.mktemp("tasks")
    makers = {"tags": write_tagger, "reader": write_reader, "masks": write_filler, "vectors": write_embedder}
    return {name: make(folder / name) for name, make in makers.items()}


def test_pairs(command, tmp_path):
    graph = mean_graph(piece_table(2, ada=[0, 9], met=[9, 0]))
    folder = write_bundle(tmp_path / "b", {"fp32": graph}, tokenizer=piece_tokenizer(), settings={"pair": True})
    result = command("predict", folder, "ada", "in", "met", "who")
    assert [line.split("\t")[::2] for line in result.out.splitlines()] == [["positive", "ada"], ["negative", "met"]]
    assert result.out.splitlines()[0].endswith("\tada\tin")
    (tmp_path / "pairs.tsv").write_text("ada\tin\n")
    answer = json.loads(command("predict", folder, "--file", tmp_path / "pairs.tsv", "--json").out)
    assert (answer["text"], answer["text_pair"]) == ("ada", "in")
    assert "two by two" in command("predict", folder, "ada").err


def test_entities(command, bundles):
    result = command("predict", bundles["tags"], "ada who met alan", "met")
    assert [line.split("\t")[::2] for line in result.out.splitlines()] == [
        ["ada who met alan"], ["  person", "0-7"], ["  person", "12-16"], ["met"]
    ]  # fmt: skip
    (answer,) = map(json.loads, command("predict", bundles["tags"], "paris", "--json").out.splitlines())
    assert [entity["word"] for entity in answer["entities"]] == ["paris"]


def test_answers_to_one_question_or_to_those_of_a_file(command, bundles, tmp_path):
    result = command("predict", bundles["reader"], "--question", "who ?", "in ada met alan", "paris")
    assert [line.split("\t")[::2] for line in result.out.splitlines()] == [["ada met alan", "3-15"], ["paris", "0-5"]]
    file = tmp_path / "asked.jsonl"
    file.write_text('{"id": 7, "question": "who ?", "context": "in paris"}\n')
    answer = json.loads(command("predict", bundles["reader"], "--file", file, "--json", "--top-k", 2).out)
    assert (answer["id"], answer["question"]) == (7, "who ?")
    assert [each["answer"] for each in answer["answers"]] == ["paris", "in paris"]


def test_fillings(command, bundles):
    result = command("predict", bundles["masks"], "[MASK] met", "--top-k", "2")
    assert [line.split("\t")[::2] for line in result.out.splitlines()] == [["paris", "paris met"], ["ada", "ada met"]]
    answer = json.loads(command("predict", bundles["masks"], "[MASK] met [MASK]", "--json").out)
    assert [len(mask) for mask in answer["fillings"]] == [5, 5]


def test_vectors_as_json_or_in_a_file(command, bundles, tmp_path):
    (answer,) = map(json.loads, command("predict", bundles["vectors"], "ada", "--json").out.splitlines())
    out = tmp_path / "vectors.npy"
    assert command("predict", bundles["vectors"], "ada", "met", "--out", out) == (0, "", "")
    vectors = np.load(out)
    assert (vectors.dtype, vectors.shape) == (np.float32, (2, 2))
    assert answer == {"text": "ada", "embedding": pytest.approx(vectors[0].tolist())}


@pytest.mark.parametrize(
    ("name", "words", "says"),
    [
        ("tags", ["ada", "--top-k", "2"], "--top-k has no meaning"),
        ("tags", ["ada", "--question", "who"], "--question is for question-answering"),
        ("tags", ["ada", "--out", "x.npy"], "--out is for feature-extraction"),
        (
            "reader",
            ["ada"],
            "must have question and context, all of them strings. Received: text, as number 1. Give it with --question",
        ),
        ("reader", ["ada", "--question", "who", "--top-k", "0"], "at least 1"),
        ("vectors", ["ada"], "--json or written with --out"),
        ("vectors", ["ada", "--json", "--out", "x.npy"], "ask for one of the two"),
        ("masks", ["ada"], "must hold the mask"),
        ("tags", ["--file", "objects.jsonl"], "must have text, all of them strings. Received: other, as number 1"),
        ("reader", ["--file", "numbers.jsonl"], "Received: question, context, as number 1."),
    ],
)
def test_bad_requests_of_each_task(command, bundles, tmp_path, monkeypatch, name, words, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "objects.jsonl").write_text('{"other": "ada"}\n')
    (tmp_path / "numbers.jsonl").write_text('{"question": "who", "context": 3}\n')
    result = command("predict", bundles[name], *words)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert len(result.err.strip().splitlines()) == 1

"""Inputs of the command line: texts, pairs and JSON lines, from one place."""

import io
import sys

import pytest

from kerasllm.inputs import read_inputs


def test_arguments_are_texts_or_pairs():
    assert read_inputs(["a", "b"]) == ["a", "b"]
    assert read_inputs(["a", "b", "c", "d"], pair=True) == [("a", "b"), ("c", "d")]
    with pytest.raises(ValueError, match=r"two by two\. Received: 3"):
        read_inputs(["a", "b", "c"], pair=True)


def test_lines_of_a_file_or_of_standard_input(tmp_path, monkeypatch):
    file = tmp_path / "texts.txt"
    file.write_text("a\tb\nc\td\n")
    assert read_inputs([], file) == ["a\tb", "c\td"]
    assert read_inputs([], file, pair=True) == [("a", "b"), ("c", "d")]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("é\n".encode())))
    assert read_inputs([]) == ["é"]
    with pytest.raises(ValueError, match="Received: 0 tabs in line 2"):
        file.write_text("a\tb\nc\n")
        read_inputs([], file, pair=True)


def test_json_lines_are_strings_and_objects(tmp_path):
    file = tmp_path / "asked.jsonl"
    file.write_text('"a\\nb"\n{"text": "c"}\n{"question": "q", "context": "d"}\n')
    assert read_inputs([], file) == ["a\nb", {"text": "c"}, {"question": "q", "context": "d"}]
    assert read_inputs([], file, pair=True)[0] == "a\nb"  # JSON lines say themselves what they are


@pytest.mark.parametrize("line", ["", "{", "3", "[1]", "null", "[" * 100_000])
def test_lines_that_are_no_json_inputs_are_refused(tmp_path, line):
    (tmp_path / "asked.jsonl").write_text(f'"a"\n{line}\n')
    with pytest.raises(ValueError, match="something else in line 2"):
        read_inputs([], tmp_path / "asked.jsonl")


def test_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ValueError, match="There is no text"):
        read_inputs([])
    with pytest.raises(ValueError, match="from one place"):
        read_inputs(["a"], tmp_path / "f")
    with pytest.raises(FileNotFoundError, match="no file of texts"):
        read_inputs([], tmp_path / "f")

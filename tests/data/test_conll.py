import gzip
from pathlib import Path

import pytest

from kerasllm.data.conll import parse_conll
from kerasllm.data.files import read_table

NER = "-DOCSTART- -X- O O\n\nAda NNP B-NP B-PER\nmet VBD B-VP O\n\n\nParis NNP B-NP B-LOC\n. . O O\n"


def test_first_and_last_columns_by_sentence():
    assert parse_conll(NER, Path("x")) == {
        "tokens": [["Ada", "met"], ["Paris", "."]],
        "tags": [["B-PER", "O"], ["B-LOC", "O"]],
    }


def test_columns_apart_by_tabs_may_hold_spaces_and_signs():
    text = "#\tO\r\nNew York\tB-LOC\r\n\r\n"
    assert parse_conll(text, Path("x")) == {"tokens": [["#", "New York"]], "tags": [["O", "B-LOC"]]}


@pytest.mark.parametrize("wrong", ["Ada\n", "Ada B-PER\nmet VBD O\n", "Ada NNP B-PER\nmet O\n"])
def test_a_line_without_its_columns_is_refused_by_its_number(wrong):
    with pytest.raises(ValueError, match=rf"line {wrong.count(chr(10))} of data.conll"):
        parse_conll(wrong, Path("data.conll"))


def test_a_file_is_read_by_its_suffix(tmp_path):
    (tmp_path / "train.conll.gz").write_bytes(gzip.compress(NER.encode()))
    assert read_table(tmp_path / "train.conll.gz")["tokens"] == [["Ada", "met"], ["Paris", "."]]

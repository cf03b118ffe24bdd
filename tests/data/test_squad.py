import json
from pathlib import Path

import pytest

from kerasllm.data.files import read_table
from kerasllm.data.squad import parse_squad

ENTRIES = [
    {"id": "1", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}], "is_impossible": False},
    {"id": "2", "question": "Why?", "answers": [], "plausible_answers": [], "is_impossible": True},
]
FILE = {"version": "v2.0", "data": [{"title": "T", "paragraphs": [{"context": "Ada wrote.", "qas": ENTRIES}]}]}


def test_a_question_a_row(tmp_path):
    (tmp_path / "train.json").write_text(json.dumps(FILE))
    assert read_table(tmp_path / "train.json") == {
        "id": ["1", "2"],
        "title": ["T", "T"],
        "context": ["Ada wrote."] * 2,
        "question": ["Who?", "Why?"],
        "answers": [{"text": ["Ada"], "answer_start": [0]}, {"text": [], "answer_start": []}],
    }


@pytest.mark.parametrize("wrong", ["{", "[1]", '{"data": 3}', '{"data": [{"paragraphs": [3]}]}', '{"a": 1}'])
def test_json_of_another_kind_is_refused(wrong):
    with pytest.raises(ValueError, match=r"data\.json"):
        parse_squad(wrong, Path("data.json"))

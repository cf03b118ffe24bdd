"""Pairs of texts from columns."""

import json

import numpy as np
import pytest

from kerasllm.data.pairs import load_pairs, load_pairs_for_evaluation
from kerasllm.data.sources import DataConfig


def write(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_scored_pairs(tmp_path):
    rows = [{"sentence1": f" a  {index}", "sentence2": f"b {index}", "score": index / 2} for index in range(6)]
    write(tmp_path / "train.jsonl", rows)
    write(tmp_path / "dev.jsonl", rows[:2])
    dataset = load_pairs(DataConfig(source=str(tmp_path)))
    assert dataset.scored
    train = dataset.splits["train"]
    assert (train.firsts[3], train.seconds[3]) == ("a 3", "b 3")
    assert train.scores.dtype == np.float32
    assert train.scores.tolist() == [0, 0.5, 1, 1.5, 2, 2.5]
    assert len(dataset.splits["validation"]) == 2
    again = load_pairs(DataConfig(source=str(tmp_path)))
    assert dataset.fingerprint == again.fingerprint
    rows[0]["score"] = 9
    write(tmp_path / "train.jsonl", rows)
    assert load_pairs(DataConfig(source=str(tmp_path))).fingerprint != dataset.fingerprint


def test_pairs_that_belong_together(tmp_path):
    path = write(tmp_path / "x.jsonl", [{"question": f"q{i}", "answer": f"a{i}"} for i in range(20)])
    dataset = load_pairs(DataConfig(source=str(path)))
    assert not dataset.scored
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 18, "validation": 2}
    assert "Took 2 of 20" in dataset.notes[0]
    both = dataset.splits["train"].firsts + dataset.splits["validation"].firsts
    assert sorted(both) == sorted(f"q{i}" for i in range(20))
    assert all(
        first[1:] == second[1:]
        for split in dataset.splits.values()
        for first, second in zip(split.firsts, split.seconds, strict=True)
    )
    assert len(load_pairs(DataConfig(source=str(path), limit=5)).splits["train"]) == 5
    assert list(load_pairs_for_evaluation(DataConfig(source=str(path)))) == ["test"]


def test_named_columns(tmp_path):
    path = write(tmp_path / "x.jsonl", [{"left": f"q{i}", "right": f"a{i}", "gold": "1.5"} for i in range(4)])
    config = DataConfig(source=str(path), text_column="left", pair_column="right", label_column="gold")
    assert load_pairs(config).splits["train"].scores.tolist() == [1.5] * 3


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"text": "a"}], {}, "--pair-column"),
        ([{"text1": "a", "text2": ""}], {}, "every text is empty"),
        ([{"text1": "a", "text2": "b"}], {}, "another example beside"),
        ([{"text1": "a", "text2": 3}], {}, "must be strings"),
        ([{"text1": "a", "text2": "b", "score": "high"}], {}, "must be numbers"),
        ([{"text1": "a", "text2": "b", "score": "nan"}], {}, "must be finite"),
        ([{"text1": "a", "text2": "b"}], {"label_column": "gold"}, "the column 'gold'"),
    ],
)
def test_refused(tmp_path, rows, options, message):
    path = write(tmp_path / "x.jsonl", rows)
    with pytest.raises(ValueError, match=message):
        load_pairs(DataConfig(source=str(path), **options))


def test_empty_texts_are_dropped_and_said(tmp_path):
    rows = [{"text1": "a" if i else " ", "text2": "b"} for i in range(5)]
    dataset = load_pairs(DataConfig(source=str(write(tmp_path / "x.jsonl", rows))))
    assert "Dropped 1 of 5" in dataset.notes[0]
    assert sum(map(len, dataset.splits.values())) == 4


def test_real_pairs(shared_data):
    stsb = load_pairs(DataConfig(source=str(shared_data / "stsb")))
    assert {name: len(split) for name, split in stsb.splits.items()} == {
        "train": 5749,
        "validation": 1500,
        "test": 1379,
    }
    assert stsb.scored
    questions = load_pairs(DataConfig(source=str(shared_data / "squad_retrieval"), limit=10))
    assert not questions.scored

"""Dialogues in every shape that they come in."""

import json

import pytest

from kerasllm.data.dialogues import DialogueConfig, load_dialogues

USER, ASSISTANT = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}


def read(tmp_path, *rows, **options):
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    dataset = load_dialogues(DialogueConfig(source=str(path), **options))
    return [dialogue for split in dataset.splits.values() for dialogue in split.dialogues], dataset


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [USER, ASSISTANT, USER]},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
        {"turns": [["user", "a"], ["system", "b"], ["user", "more"]]},
        {"instruction": "a", "input": "", "output": "b"},
        {"prompt": "a", "completion": "b"},
    ],
)
def test_shapes(tmp_path, row):
    other = json.loads(json.dumps(row).replace('"a"', '"c"'))
    found, dataset = read(tmp_path, row, other)
    assert [USER, ASSISTANT] in found
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 1, "validation": 1}


def test_an_input_stands_below_its_instruction(tmp_path):
    found, _ = read(tmp_path, *({"instruction": "Add", "input": f"{n}\n{n}", "output": "x"} for n in range(2)))
    assert sorted(dialogue[0]["content"] for dialogue in found) == ["Add\n0\n0", "Add\n1\n1"]


def test_refused(tmp_path):
    with pytest.raises(ValueError, match="column messages"):
        read(tmp_path, {"text": "a"})
    with pytest.raises(ValueError, match="row 2"):
        read(tmp_path, {"messages": [USER, ASSISTANT]}, {"messages": [USER, {"role": "cat", "content": "b"}]})
    with pytest.raises(ValueError, match="at least one answer"):
        read(tmp_path, {"messages": [USER]})


@pytest.mark.parametrize(("name", "rows"), [("instruct_simple", 935), ("alpaca_5k", 4500), ("sgd_dialogues", 6000)])
def test_real_sets(shared_data, name, rows):
    dataset = load_dialogues(DialogueConfig(source=str(shared_data / name)))
    assert len(dataset.splits["train"]) > 0.95 * rows
    assert {message["role"] for message in dataset.splits["train"].dialogues[0]} == {"user", "assistant"}

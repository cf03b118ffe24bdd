import json

import numpy as np
import pytest

from kerasllm.data import AugmentationConfig, DataConfig, load_dataset, load_for_evaluation


def write(path, rows):
    """Rows of (text, label, ...) as a jsonl file."""
    keys = ("text", "label", "label_name")
    path.write_text("".join(json.dumps(dict(zip(keys, row, strict=False))) + "\n" for row in rows), encoding="utf-8")
    return path


def numbered(count, classes=2):
    return [(f"text number {n}", n % classes) for n in range(count)]


def load(path, **options):
    return load_dataset(DataConfig(source=str(path), **options))


def test_the_built_in_reviews():
    dataset = load("builtin:reviews")
    assert dataset.labels == ("negative", "positive")
    assert [len(split) for split in dataset.splits.values()] == [8000, 1000, 1000]
    assert dataset.notes == ()
    with pytest.raises(ValueError, match="Received: builtin:nothing"):
        load("builtin:nothing")


def test_a_folder_gives_its_splits_and_the_names_beside_the_numbers(tmp_path):
    write(tmp_path / "train.jsonl", [("a", 10, "ten"), ("b", 9, "nine"), ("c", 10, "ten")])
    write(tmp_path / "dev.jsonl", [("d", 9)])
    write(tmp_path / "test.jsonl", [("e", 10, "ten")])
    dataset = load(tmp_path)
    assert list(dataset.splits) == ["train", "validation", "test"]
    assert dataset.labels == ("nine", "ten")
    assert dataset.splits["train"].labels.tolist() == [1, 0, 1]
    assert dataset.splits["validation"].labels.tolist() == [0]
    assert dataset.splits["train"].labels.dtype == np.int64


def test_validation_is_carved_by_the_seed_from_every_class(tmp_path):
    path = write(tmp_path / "data.jsonl", numbered(400, classes=4))
    dataset = load(path)
    train, validation = dataset.splits["train"], dataset.splits["validation"]
    assert sorted(train.texts + validation.texts) == sorted(text for text, _ in numbered(400))
    assert np.bincount(validation.labels).tolist() == [10, 10, 10, 10]
    assert "40 of 400" in dataset.notes[0]
    assert load(path).fingerprint == dataset.fingerprint
    assert load(path, seed=1).fingerprint != dataset.fingerprint


def test_two_examples_are_enough_to_carve(tmp_path):
    dataset = load(write(tmp_path / "data.jsonl", numbered(2)))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 1, "validation": 1}


def test_multi_label_even_where_one_split_has_single_labels(tmp_path):
    write(tmp_path / "train.jsonl", [("a", ["x", "y"]), ("b", []), ("c", ["z"])])
    write(tmp_path / "valid.jsonl", [("d", "z")])
    dataset = load(tmp_path)
    assert dataset.multi_label
    assert dataset.splits["train"].labels.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert dataset.splits["validation"].labels.tolist() == [[0, 0, 1]]


def test_texts_are_cleaned_unless_told_not_to(tmp_path):
    path = write(tmp_path / "data.jsonl", [("<b>Fine</b>  day", 1), ("bad", 0)] * 10)
    assert "Fine day" in load(path).splits["train"].texts
    assert "<b>Fine</b>  day" in load(path, clean=False).splits["train"].texts


def test_empty_texts_are_dropped_and_reported(tmp_path):
    path = write(tmp_path / "data.jsonl", [*numbered(20), (" <br/> ", 1), (None, 0)])
    dataset = load(path)
    assert sum(len(split) for split in dataset.splits.values()) == 20
    assert dataset.notes[0] == "Dropped 2 of 22 examples of the train split: empty text."
    with pytest.raises(ValueError, match="every text is empty"):
        load(write(tmp_path / "none.jsonl", [("", 0), (" ", 1)]))


def test_overlap_is_reported_and_dropped_on_demand(tmp_path):
    write(tmp_path / "train.jsonl", [*numbered(10), ("text number 3", 1)])
    write(tmp_path / "valid.jsonl", [("text  number 3", 1), ("new", 0)])
    write(tmp_path / "test.jsonl", [("text number 4", 0), ("newer", 0)])
    dataset = load(tmp_path)
    assert dataset.notes == (
        "1 of 2 validation texts are in the training split too.",
        "1 of 2 test texts are in the training split too.",
        "1 of 11 training texts repeat another one.",
    )
    dropped = load(tmp_path, drop_overlap=True)
    assert len(dropped.splits["train"]) == 8
    assert not {"text number 3", "text number 4"} & set(dropped.splits["train"].texts)
    assert dropped.splits["test"].texts == dataset.splits["test"].texts


def test_a_limit_draws_by_the_seed(tmp_path):
    path = write(tmp_path / "data.jsonl", numbered(100))
    few = load(path, limit=7)
    assert [len(split) for split in few.splits.values()] == [7, 7]
    assert load(path, limit=7).fingerprint == few.fingerprint
    assert len(load(path, limit=1000).splits["train"]) == 90
    with pytest.raises(ValueError, match="Received: 0"):
        DataConfig(source="x", limit=0)


def test_augmentation_is_for_training_texts_alone(tmp_path):
    path = write(tmp_path / "data.jsonl", numbered(100))
    plain, more = load(path), load(path, augmentation=AugmentationConfig(swap=0.5))
    assert len(more.splits["train"]) > len(plain.splits["train"])
    assert more.splits["validation"].texts == plain.splits["validation"].texts
    assert more.fingerprint != plain.fingerprint


@pytest.mark.parametrize("column", ["label", "label_name"])
def test_one_class_only(tmp_path, column):
    path = write(tmp_path / "data.jsonl", [("a", 1, "pos"), ("b", 1, "pos")])
    with pytest.raises(ValueError, match=r"at least two classes .*Received: .* with (1|pos)\."):
        load(path, label_column=column)


def test_no_label_at_all(tmp_path):
    with pytest.raises(ValueError, match=r"at least two classes .*Received: .* with none"):
        load(write(tmp_path / "data.jsonl", [("a", []), ("b", [])]))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_unknown_label_in_another_split(tmp_path, split):
    write(tmp_path / "train.jsonl", numbered(10))
    write(tmp_path / f"{split}.jsonl", [("a", 2)])
    with pytest.raises(ValueError, match=rf"labels: 0, 1. Received: '2' in the {split} split"):
        load(tmp_path)


def test_secret_labels_leave_their_split_out(tmp_path):
    write(tmp_path / "train.jsonl", numbered(20))
    write(tmp_path / "test.jsonl", [("a", -1), ("b", -1)])
    dataset = load(tmp_path)
    assert list(dataset.splits) == ["train", "validation"]
    assert "all -1" in dataset.notes[0]


def test_no_training_split(tmp_path):
    write(tmp_path / "test.jsonl", numbered(4))
    with pytest.raises(FileNotFoundError, match=r"must have a training split. Received: .* with test"):
        load(tmp_path)


def test_evaluation_reads_with_the_model_s_classes(tmp_path):
    config = DataConfig(source=str(write(tmp_path / "data.jsonl", [("a", 1, "pos"), ("a", 1, "pos")])))
    dataset = load_for_evaluation(config, ("pos", "neg"))
    assert list(dataset.splits) == ["test"]
    assert dataset.labels == ("pos", "neg")
    assert dataset.splits["test"].labels.tolist() == [0, 0]
    with pytest.raises(ValueError, match="Received: 'pos'"):
        load_for_evaluation(config, ("good", "bad"))
    assert load_for_evaluation(config, ("neg", "pos"), multi_label=True).splits["test"].labels.tolist() == [[0, 1]] * 2


@pytest.mark.parametrize(
    ("name", "labels", "sizes"),
    [
        ("sst2", ("0", "1"), [67_349, 872, 1_821]),
        ("sst5", ("0", "1", "2", "3", "4"), [8_544, 1_101, 2_210]),
        ("ag_news", ("World", "Sports", "Business", "Sci/Tech"), [33_042, 2_000, 7_600]),
        ("chnsenticorp", ("0", "1"), [9_600, 1_200, 1_200]),
    ],
)
def test_real_sets_need_no_flag(shared_data, name, labels, sizes):
    dataset = load(shared_data / name)
    assert dataset.labels == labels
    assert [len(split) for split in dataset.splits.values()] == sizes


def test_a_set_without_a_test_split(shared_data):
    dataset = load(shared_data / "snips")
    assert len(dataset.labels) == 7
    assert list(dataset.splits) == ["train", "validation"]

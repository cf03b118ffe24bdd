import numpy as np
import pytest

from kerasllm.data.augmentation import AugmentationConfig
from kerasllm.data.sources import DataConfig
from kerasllm.data.splits import held_out, limited, overlap_notes, refuse_unread, require_train, with_validation
from kerasllm.data.tagged import TaggedSplit


def _numbers(count):
    return TaggedSplit([str(number) for number in range(count)], [()] * count)


def test_a_tenth_of_the_groups_is_held_out_and_none_is_cut():
    groups = [f"context {row // 3}" for row in range(60)]
    drawn = held_out(groups, seed=1)
    inside = {group for group, out in zip(groups, drawn, strict=True) if out}
    outside = {group for group, out in zip(groups, drawn, strict=True) if not out}
    assert len(inside) == 2
    assert not inside & outside
    assert drawn.sum() == 6
    assert (held_out(groups, seed=1) == drawn).all()
    assert any((held_out(groups, seed=seed) != drawn).any() for seed in range(2, 6))


def test_one_group_cannot_be_split():
    with pytest.raises(ValueError, match="Received: 1"):
        held_out(["a", "a"], seed=0)


def test_a_limit_draws_rows_in_their_order():
    splits = {"train": _numbers(100), "validation": _numbers(3)}
    few = limited(splits, DataConfig(source="x", limit=5))
    rows = [int(text) for text in few["train"].texts]
    assert len(rows) == 5
    assert few["validation"].texts == ["0", "1", "2"]
    assert rows == sorted(rows) != [0, 1, 2, 3, 4]
    assert limited(splits, DataConfig(source="x")) == splits


def test_drawn_examples_become_the_validation_split():
    splits = with_validation({"train": _numbers(4), "test": _numbers(1)}, np.array([False, True, False, True]))
    assert [*splits] == ["train", "validation", "test"]
    assert splits["train"].texts == ["0", "2"]
    assert splits["validation"].texts == ["1", "3"]


def test_a_source_without_training_examples_is_refused():
    require_train(["test", "train"], "x")
    with pytest.raises(FileNotFoundError, match="Received: x with test, dev"):
        require_train(["test", "dev"], "x")


def test_overlap_is_counted_in_the_other_splits():
    splits = {"train": ["a", "b", "b"], "validation": ["b", "c"], "test": ["d"]}
    assert overlap_notes(splits) == ["1 of 2 validation examples are in the training split too."]


@pytest.mark.parametrize(
    ("name", "value"),
    [("label_separator", "|"), ("drop_overlap", True), ("augmentation", AugmentationConfig(swap=0.1))],
)
def test_settings_that_nobody_reads_are_refused(name, value):
    refuse_unread(DataConfig(source="x", limit=3, seed=1))
    with pytest.raises(ValueError, match=f"`{name}` is for labelled texts"):
        refuse_unread(DataConfig(source="x", **{name: value}))

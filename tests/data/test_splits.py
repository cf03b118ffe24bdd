import numpy as np
import pytest

from kerasllm.data.augmentation import AugmentationConfig
from kerasllm.data.sources import DataConfig
from kerasllm.data.splits import held_out, limited, overlap_notes, refuse_unread


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
    rows = limited({"train": 100, "validation": 3}, 5, seed=0)
    assert len(rows["train"]) == 5
    assert rows["validation"].tolist() == [0, 1, 2]
    assert (np.diff(rows["train"]) > 0).all()
    assert rows["train"].tolist() != [0, 1, 2, 3, 4]


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

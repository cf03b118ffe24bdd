"""What every kind of example needs of its splits: a validation split where there is none, a limit, known overlap."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from .sources import DataConfig

VALIDATION_SHARE = 10  # one training example in so many becomes validation where a source has none


class Examples(Protocol):
    """Examples of any kind."""

    def __len__(self) -> int:
        """How many there are."""

    def take(self, rows: np.ndarray) -> Any:
        """Those at the indices `rows`, in that order."""


Split = TypeVar("Split", bound=Examples)


def refuse_unread(config: "DataConfig") -> None:
    """Raises ValueError for settings that only labelled texts have: here they would change nothing, silently."""
    given = {
        "label_separator": config.label_separator,
        "drop_overlap": config.drop_overlap,
        "augmentation": config.augmentation.active,
    }
    name = next((name for name, value in given.items() if value), None)
    if name is not None:
        raise ValueError(
            f"`{name}` is for labelled texts. Received: {given[name]!r} for {config.source}. Leave it out."
        )


def held_out(groups: Sequence[Hashable], seed: int) -> np.ndarray:
    """Draws a tenth of the groups for validation, at least one; the examples of a group stay together.

    Args:
        groups: The group of each example.
        seed: Draws them.

    Returns:
        bool [examples], true where the example is for validation.

    Raises:
        ValueError: There is one group alone.
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if len(numbers) < 2:
        raise ValueError(
            f"Training needs another example beside those of validation. Received: {len(numbers)}. "
            "Add more, or a validation split."
        )
    order = np.random.default_rng(seed).permutation(len(numbers))
    drawn = np.zeros(len(numbers), bool)
    drawn[order[: max(1, len(numbers) // VALIDATION_SHARE)]] = True
    return drawn[[numbers[group] for group in groups]]


def require_train(names: Iterable[str], source: str) -> None:
    """Raises FileNotFoundError where the training split is not among a source's."""
    if "train" not in names:
        raise FileNotFoundError(
            f"Data to train on must have a training split. Received: {source} with {', '.join(names)}."
        )


def with_validation(splits: Mapping[str, Split], drawn: np.ndarray) -> dict[str, Split]:
    """The splits, with the drawn examples of "train" as "validation".

    Args:
        splits: Split to its examples.
        drawn: bool [training examples].
    """
    train = splits["train"]
    parts = {"train": train.take(np.flatnonzero(~drawn)), "validation": train.take(np.flatnonzero(drawn))}
    return {**parts, **{name: split for name, split in splits.items() if name != "train"}}


def limited(splits: Mapping[str, Split], config: "DataConfig") -> dict[str, Split]:
    """At most `config.limit` examples of each split, drawn by the seed, in their order; all without a limit."""
    if config.limit is None:
        return dict(splits)
    random = np.random.default_rng(config.seed)
    return {name: each.take(np.sort(random.permutation(len(each))[: config.limit])) for name, each in splits.items()}


def overlap_notes(examples: Mapping[str, Sequence[Hashable]]) -> list[str]:
    """A sentence for each other split that shares examples with the training split."""
    known = set(examples["train"])
    shared = {name: sum(each in known for each in given) for name, given in examples.items() if name != "train"}
    return [
        f"{count:,} of {len(examples[name]):,} {name} examples are in the training split too."
        for name, count in shared.items()
        if count
    ]

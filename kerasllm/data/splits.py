"""What every kind of example needs of its splits: a validation split where there is none, a limit, known overlap."""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from .sources import DataConfig

VALIDATION_SHARE = 10  # one training example in so many becomes validation where a source has none


def refuse_unread(config: DataConfig) -> None:
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


def limited(counts: Mapping[str, int], limit: int, seed: int) -> dict[str, np.ndarray]:
    """At most `limit` examples of each split, drawn by the seed.

    Args:
        counts: Split to its number of examples.
        limit: Most of them.
        seed: Draws them.

    Returns:
        Split to the rows that stay, int64 [examples], in their order.
    """
    random = np.random.default_rng(seed)
    return {name: np.sort(random.permutation(count)[:limit]) for name, count in counts.items()}


def overlap_notes(examples: Mapping[str, Sequence[Hashable]]) -> list[str]:
    """A sentence for each other split that shares examples with the training split."""
    known = set(examples["train"])
    shared = {name: sum(each in known for each in given) for name, given in examples.items() if name != "train"}
    return [
        f"{count:,} of {len(examples[name]):,} {name} examples are in the training split too."
        for name, count in shared.items()
        if count
    ]

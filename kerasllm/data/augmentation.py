"""More training texts from the ones there are: words swapped or deleted, letters mistyped; no synonyms, so no lexicon.

Source: the swap and deletion of "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
Classification Tasks", Wei and Zou 2019.
"""

from dataclasses import dataclass, replace
from random import Random

import numpy as np

from .dataset import Split


@dataclass(frozen=True, kw_only=True)
class AugmentationConfig:
    """Altered copies of the training texts; off while every rate is 0."""

    swap: float = 0.0
    """Share of words that change places with their neighbour, 0 to 1."""
    delete: float = 0.0
    """Share of words left out, 0 to 1 (one always stays)."""
    noise: float = 0.0
    """Share of characters mistyped, 0 to 1: left out, doubled, or swapped with the next."""
    copies: int = 1
    """Altered copies of each training text, beside the text itself."""

    def __post_init__(self) -> None:
        for name in ("swap", "delete", "noise"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`{name}` is a share and must be from 0 to 1. Received: {getattr(self, name)}.")
        if self.copies < 1:
            raise ValueError(f"`copies` must be at least 1. Received: {self.copies}. Set every rate to 0 for none.")

    @property
    def active(self) -> bool:
        """Whether any text would change."""
        return max(self.swap, self.delete, self.noise) > 0


def augment(split: Split, config: AugmentationConfig, seed: int) -> Split:
    """The split, followed by `config.copies` altered versions of it; copies that came out unchanged are left out.

    Args:
        split: Training examples.
        config: Rates and copies.
        seed: The same seed gives the same copies.

    Returns:
        At least the given examples, in their order.
    """
    if not config.active:
        return split
    random = Random(seed)  # noqa: S311 (nothing secret)
    texts, rows = list(split.texts), list(range(len(split)))
    for _ in range(config.copies):
        for row, text in enumerate(split.texts):
            altered = _alter(text, config, random)
            if altered != text:
                texts.append(altered)
                rows.append(row)
    return replace(split.take(np.array(rows, dtype=np.int64)), texts=texts)


def _alter(text: str, config: AugmentationConfig, random: Random) -> str:
    words = text.split()
    for index in range(len(words) - 1):
        if random.random() < config.swap:
            words[index], words[index + 1] = words[index + 1], words[index]
    kept = [word for word in words if random.random() >= config.delete] or words[:1]
    return _mistype(" ".join(kept), config.noise, random)


def _mistype(text: str, rate: float, random: Random) -> str:
    characters, index = list(text), 0
    while index < len(characters):
        if random.random() < rate:
            slip = random.randrange(3)
            if slip == 0 and len(text) > 1:
                characters[index] = ""
            elif slip == 1:
                characters[index] *= 2
            elif index + 1 < len(characters):
                characters[index : index + 2] = characters[index + 1], characters[index]
                index += 1
        index += 1
    return "".join(characters) or text

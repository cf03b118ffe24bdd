"""What every source becomes: texts and labels in named splits, with a fingerprint of their content."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Split:
    """Labelled texts.

    Attributes:
        texts: One string an example.
        labels: int64 [examples], the index of each example's class; or float32 0/1 [examples, classes] if multi-label.
        pairs: The second text of each example, for a task on two texts.
    """

    texts: list[str]
    labels: np.ndarray
    pairs: list[str] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "Split":
        """The examples at the indices `rows`, in that order."""
        pairs = None if self.pairs is None else [self.pairs[row] for row in rows]
        return Split([self.texts[row] for row in rows], self.labels[rows], pairs)


@dataclass(frozen=True, kw_only=True)
class TextDataset:
    """Labelled texts in splits, ready to tokenize.

    Attributes:
        name: Where it came from, for people.
        labels: The classes' names, in the order of their indices.
        multi_label: Whether an example has any number of classes instead of exactly one.
        splits: "train", "validation" and, where the source has one, "test".
        notes: What reading did that its user should know, a sentence each.
    """

    name: str
    labels: tuple[str, ...]
    multi_label: bool
    splits: dict[str, Split] = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 over names, texts and labels: the same content, wherever it lies, has the same digest."""
        digest = hashlib.sha256(repr((self.labels, self.multi_label)).encode())
        for name in sorted(self.splits):
            split = self.splits[name]
            digest.update(f"\n{name} {len(split)}\n".encode())
            for text in (*split.texts, *(split.pairs or ())):
                data = text.encode("utf-8", "surrogatepass")
                digest.update(len(data).to_bytes(8, "little"))
                digest.update(data)
            digest.update(np.ascontiguousarray(split.labels, "<f4" if self.multi_label else "<i8").tobytes())
        return digest.hexdigest()

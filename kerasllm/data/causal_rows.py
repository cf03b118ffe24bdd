"""Rows of tokens that predict the next one: cut from running text or packed from samples, all of one length.

What stands together in a row need not belong together: `segments` says what does, and attention stays inside. A batch
is a pure function of (seed, its number), and all batches have one shape, so that XLA compiles them once.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from .pipeline import Spec, pipeline

Batch = dict[str, np.ndarray]


class Rows(Protocol):
    """What a row holds; how many there are; and which tokens there are to predict in all of them."""

    length: int
    tokens: int

    def __len__(self) -> int:
        """Rows of a pass."""

    def row(self, index: int, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ids, the next ids (-1: not asked for) and segments (from 1), each int32 [at most length]."""


class Packed:
    """Whole samples side by side: each row takes as many as it can hold (first fit, the longest first)."""

    def __init__(self, samples: Sequence[tuple[np.ndarray, np.ndarray]], length: int):
        """Packs the samples.

        Args:
            samples: Ids, at most `length + 1`, and whether each is asked for, bool, of every one.
            length: Tokens of a row.
        """
        self._samples, self.length = samples, length
        self._rows = _first_fit([len(ids) - 1 for ids, _ in samples], length)
        self.tokens = sum(len(ids) - 1 for ids, _ in samples)

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, index: int, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The samples of a row; nothing is shifted."""
        del shift
        found = [self._samples[sample] for sample in self._rows[index]]
        labels = [np.where(asked[1:], ids[1:], -1) for ids, asked in found]
        segments = [np.full(len(ids) - 1, number) for number, (ids, _) in enumerate(found, start=1)]
        ids = np.concatenate([ids[:-1] for ids, _ in found])
        return ids, np.concatenate(labels), np.concatenate(segments)


class CausalRows:
    """Batches of rows: [batch, length] each, whatever their number.

    Attributes:
        steps: Batches of an epoch.
        tokens: Tokens of an epoch.
    """

    def __init__(self, rows: Rows, *, batch_size: int, padding: int, steps: int | None = None, seed: int = 0):
        """Plans the batches.

        Args:
            rows: What they are made of.
            batch_size: Rows of a batch.
            padding: The id that fills up a row.
            steps: Batches of an epoch (default: a pass over the rows).
            seed: Draws the order of rows and where windows are cut.

        Raises:
            ValueError: There is no row.
        """
        if len(rows) == 0:
            raise ValueError("Text must hold at least two tokens to learn from. Received: fewer. Add text.")
        self._rows, self._size, self._padding, self._seed = rows, batch_size, padding, seed
        self.steps = steps or -(-len(rows) // batch_size)
        self.tokens = round(self.steps * batch_size * rows.tokens / len(rows))

    def __len__(self) -> int:
        return len(self._rows)

    def training(self, epoch: int) -> Iterable[Any]:
        """Batches from an epoch on, without end: pass after pass over the rows, each in another order.

        Returns:
            Elements ({"token_ids", "segments", "positions"}, labels), all int32 [batch, length]: segments from 1, 0 at
            padding; positions from 0 in every segment; labels -1 where nothing is asked for.
        """
        order = lru_cache(maxsize=2)(self._order)

        def make(number: int) -> tuple[Batch, np.ndarray]:
            places = (divmod(place, len(self)) for place in range(number * self._size, (number + 1) * self._size))
            drawn = ((order(which), index) for which, index in places)
            return _taught(self._batch([self._rows.row(int(rows[index]), shift) for (rows, shift), index in drawn]))

        return pipeline(make, _taught(self._specs()), start=epoch * self.steps)

    def evaluation(self) -> tuple[Iterable[Any], int]:
        """One pass in the text's order, inputs alone, "labels" among them, in tuples of one; its number of batches."""
        steps = -(-len(self) // self._size)

        def make(number: int) -> tuple[Batch]:
            places = range(number * self._size, min((number + 1) * self._size, len(self)))
            return (self._batch([self._rows.row(place, 0.0) for place in places]),)

        return pipeline(make, (self._specs(),), count=steps), steps

    def _order(self, which: int) -> tuple[np.ndarray, float]:
        random = np.random.default_rng((self._seed, which))
        return random.permutation(len(self)), random.random()

    def _batch(self, rows: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Batch:
        shape = (self._size, self._rows.length)
        batch = {
            "token_ids": np.full(shape, self._padding, np.int32),
            "segments": np.zeros(shape, np.int32),
            "labels": np.full(shape, -1, np.int32),
        }
        for place, (ids, labels, segments) in enumerate(rows):
            for name, values in (("token_ids", ids), ("segments", segments), ("labels", labels)):
                batch[name][place, : len(values)] = values
        return batch | {"positions": positions(batch["segments"])}

    def _specs(self) -> dict[str, Spec]:
        spec = Spec("int32", (self._size, self._rows.length))
        return dict.fromkeys(("token_ids", "segments", "labels", "positions"), spec)


def positions(segments: np.ndarray) -> np.ndarray:
    """The place of every token in its segment, from 0: int32 [rows, length], as `segments`."""
    places = np.arange(segments.shape[1], dtype=np.int32)
    opens = np.diff(segments, axis=1, prepend=-1) != 0
    return places - np.maximum.accumulate(np.where(opens, places, 0), axis=1)


def _taught(batch: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Inputs and what comes next, as `fit` takes them."""
    return {name: batch[name] for name in ("token_ids", "segments", "positions")}, batch["labels"]


def _first_fit(lengths: Sequence[int], length: int) -> list[list[int]]:
    """Which samples share a row; looks at the newest rows only, so that it stays linear."""
    rows: list[list[int]] = []
    room: list[int] = []
    for sample in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        recent = range(max(0, len(rows) - 256), len(rows))
        place = next((row for row in recent if room[row] >= lengths[sample]), None)
        if place is None:
            place = len(rows)
            rows.append([])
            room.append(length)
        rows[place].append(sample)
        room[place] -= lengths[sample]
    return rows

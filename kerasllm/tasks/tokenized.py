"""A task whose examples are rows of tokens, each for itself: what all of these do alike."""

from collections.abc import Iterable
from typing import Any

from ..data.batches import BatchConfig, batches, steps
from ..data.tokens import TokenSplit
from .task import Task


class TokenizedTask(Task):
    """A task with the token arrays of each split, how they are batched, and what draws their order."""

    _tokens: dict[str, TokenSplit]
    _batches: BatchConfig
    _seed: int

    def steps(self) -> int:
        """Batches in a pass over the training split."""
        return steps(self._tokens["train"], self._batches)

    def tokens(self) -> int:
        """Tokens in a pass over the training split, padding not counted."""
        return int(self._tokens["train"].offsets[-1])

    def batches(self, epoch: int) -> Iterable[Any]:
        """Training batches from an epoch on, without end, as `kerasllm.data.batches` makes them."""
        return batches(self._tokens["train"], self._batches, training=True, seed=self._seed, epoch=epoch)

"""Rows of running text to batches with masks, which are a pure function of (seed, epoch, row)."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..tokenizing.tokenizer import pad_id
from .full_rows import FullRows
from .masking import MaskingConfig, mask_row, mask_vocabulary
from .next_sentence import SegmentPairs
from .pipeline import Spec, pipeline
from .running_text import Document
from .token_stream import token_stream
from .widths import padded_width

FIXED = (0, 2**31)  # seed and epoch of the masks that every model is scored with


class MaskedRows:
    """The rows of a split, masked anew each epoch.

    Attributes:
        steps: Batches in a pass over the rows.
        tokens: Tokens of the rows; of segments the most that there can be.
    """

    def __init__(
        self,
        documents: list[Document],
        tokenizer: Tokenizer,
        config: MaskingConfig,
        *,
        batch_size: int,
        max_length: int,
        segments: bool,
        seed: int = 0,
    ):
        """Tokenizes the documents, or finds their tokens in the cache, and cuts them into rows.

        Args:
            documents: See `running_text.read_documents`.
            tokenizer: One that puts [CLS] and [SEP], or others, around a text, and has a [MASK].
            config: What is hidden.
            batch_size: Most rows in a batch.
            max_length: Tokens of a row; of two segments the most.
            segments: Whether the model has `token_type_ids`.
            seed: Draws the order of rows and the masks.

        Raises:
            ValueError: The tokenizer is not one for masked language models, or the text fills no row.
        """
        start, end = _ends(tokenizer)
        stream = token_stream(documents, tokenizer, end, words=True)
        rows = SegmentPairs if config.next_sentence else FullRows
        self._rows = rows(stream, start, end, max_length)
        self._config, self._vocabulary, self._padding = config, mask_vocabulary(tokenizer), pad_id(tokenizer)
        self._places, self._segments, self._seed = config.places(max_length), segments, seed
        self._max_length = max_length
        self.steps = -(-len(self._rows) // batch_size)
        self.tokens = len(self._rows) * max_length

    def __len__(self) -> int:
        return len(self._rows)

    def training(self, epoch: int, taught: Callable[[dict[str, Any]], tuple]) -> Iterable[Any]:
        """Batches from an epoch on, without end, each epoch in another order and with other masks.

        Args:
            epoch: The first epoch, from 0.
            taught: Makes of a batch, a dict of int32 arrays, what `fit` takes: "input_ids", "attention_mask" and, with
                segments, "token_type_ids" [batch, sequence]; "masked_positions" [batch, places], 0 where there is none;
                "labels" [batch, places], the tokens there, -1 where there is none; and with next-sentence prediction
                "next_sentence_labels" [batch].
        """
        order = lru_cache(maxsize=2)(self._order)

        def make(number: int) -> tuple:
            which, position = divmod(number, self.steps)
            return taught(self.batch(order(which)[position], self._seed, which))

        return pipeline(make, taught(self._specs()), start=epoch * self.steps)

    def evaluation(self) -> Iterable[Any]:
        """One pass in the text's order, inputs alone, labels among them, in tuples of one; whatever the seed, always
        with the same masks."""
        order = np.array_split(np.arange(len(self)), self.steps)
        return pipeline(lambda number: (self.batch(order[number], *FIXED),), (self._specs(),), count=self.steps)

    def batch(self, rows: np.ndarray, seed: int, epoch: int) -> dict[str, np.ndarray]:
        """The batch of the rows with these indices, as `training` describes it."""
        found = [self._masked(int(row), np.random.default_rng((seed, epoch, int(row)))) for row in rows]
        ids, segments, positions, truth, sentence = zip(*found, strict=True)
        width = padded_width(max(map(len, ids)), self._max_length, None)
        batch = {
            "input_ids": _stack(ids, width, self._padding),
            "attention_mask": _stack([np.ones_like(row) for row in ids], width, 0),
            "token_type_ids": _stack(segments, width, 0),
            "masked_positions": _stack(positions, self._places, 0),
            "labels": _stack(truth, self._places, -1),
            "next_sentence_labels": np.array(sentence, np.int32),
        }
        return {name: batch[name] for name in self._names()}

    def _masked(self, row: int, random: np.random.Generator) -> tuple[Any, ...]:
        ids, marks, segments, sentence = self._rows.row(row, random)
        hidden, positions = mask_row(ids, marks, random, self._config, self._vocabulary)
        return hidden, segments, positions, ids[positions], sentence

    def _order(self, epoch: int) -> list[np.ndarray]:
        return np.array_split(np.random.default_rng((self._seed, epoch)).permutation(len(self)), self.steps)

    def _names(self) -> list[str]:
        inputs = ["input_ids", "attention_mask", *["token_type_ids"] * self._segments, "masked_positions"]
        return [*inputs, "labels", *["next_sentence_labels"] * self._config.next_sentence]

    def _specs(self) -> dict[str, Spec]:
        rows, single = Spec("int32", (None, None)), Spec("int32", (None,))
        return {name: single if name == "next_sentence_labels" else rows for name in self._names()}


def _ends(tokenizer: Tokenizer) -> tuple[int, int]:
    """The ids of [CLS] and [SEP], as the tokenizer puts them around a text."""
    ids = tokenizer.encode("").ids
    if len(ids) != 2:
        raise ValueError(
            "Pretraining needs a tokenizer that puts a token before and one after a text, as BERT's [CLS] and [SEP]. "
            f"Received: one that puts {len(ids)} around it. Train one for an encoder, or take an encoder's own."
        )
    return ids[0], ids[1]


def _stack(rows: Any, width: int, filler: int) -> np.ndarray:
    """Rows one under the other, filled up on the right: int32 [rows, width]."""
    stacked = np.full((len(rows), width), filler, np.int32)
    for row, values in zip(stacked, rows, strict=True):
        row[: len(values)] = values
    return stacked

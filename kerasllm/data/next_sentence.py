"""Rows of two segments, the second one the first one's continuation or not: BERT's next-sentence prediction.

Source: Devlin et al. 2019, BERT, section 3.1: in half of the rows the second segment is from another document.
"""

import numpy as np

from .token_stream import SPECIAL, TokenStream

FOLLOWS, RANDOM = 0, 1  # the classes, numbered as in BERT
_LEAST = 8  # tokens of a stretch: less has no two segments worth the name


class SegmentPairs:
    """Stretches of documents that are cut in two, each time at another place."""

    def __init__(self, stream: TokenStream, start: int, end: int, length: int):
        """Cuts the documents into stretches.

        Args:
            stream: The documents' tokens.
            start: The id of [CLS].
            end: The id of [SEP].
            length: Most tokens of a row, three special ones among them.

        Raises:
            ValueError: Fewer than two documents hold a stretch of eight tokens.
        """
        self._stream, self._start, self._end, self._room = stream, start, end, length - 3
        starts, documents = [], []
        for index, (first, last) in enumerate(zip(stream.starts[:-1] + 1, stream.starts[1:], strict=True)):
            places = np.arange(first, last - _LEAST + 1, max(self._room, 1))
            starts.append(places)
            documents.append(np.full(len(places), index))
        self._starts, self._documents = np.concatenate(starts), np.concatenate(documents)
        self._stops = np.minimum(self._starts + self._room, stream.starts[self._documents + 1])
        count = len(np.unique(self._documents))
        if self._room < _LEAST or count < 2:
            raise ValueError(
                f"Next-sentence prediction needs rows of at least {_LEAST + 3} tokens, and two documents of {_LEAST}. "
                f"Received: rows of {length}, {count} such documents. Name other --documents, or leave it off."
            )

    def __len__(self) -> int:
        return len(self._starts)

    def row(self, index: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """A stretch, cut at a place that is drawn, with what follows there or with another document's text.

        Returns:
            Ids (as the stream's), marks and segments (uint8), all [tokens]; and the class, `FOLLOWS` or `RANDOM`.
        """
        begin, stop = int(self._starts[index]), int(self._stops[index])
        cut = int(random.integers(begin + 1, stop))
        first, second, label = slice(begin, cut), slice(cut, stop), FOLLOWS
        if random.random() < 0.5:
            other = self._other(index, random)
            start = int(self._starts[other])
            second = slice(start, min(int(self._stops[other]), start + self._room - (cut - begin)))
            label = RANDOM
        ids, marks = self._stream.ids, self._stream.marks
        row = np.concatenate([[self._start], ids[first], [self._end], ids[second], [self._end]])
        kept = np.concatenate([[SPECIAL], marks[first], [SPECIAL], marks[second], [SPECIAL]])
        segments = np.arange(len(row)) >= cut - begin + 2
        return row.astype(ids.dtype), kept.astype(np.uint8), segments.astype(np.uint8), label

    def _other(self, index: int, random: np.random.Generator) -> int:
        """A stretch of another document."""
        low, high = np.searchsorted(self._documents, [self._documents[index], self._documents[index] + 1])
        drawn = int(random.integers(len(self) - (high - low)))
        return drawn if drawn < low else drawn + int(high - low)

"""Rows of running text, all of one length and without padding.

They are cut from one long stream, document after document with [SEP] between them, as in RoBERTa (Liu et al. 2019,
FULL-SENTENCES): a document that is longer than a row goes on in the next one.
"""

import numpy as np

from .next_sentence import FOLLOWS
from .token_stream import SPECIAL, TokenStream


class FullRows:
    """[CLS], a piece of the stream, [SEP]; what is left over at the end, less than a row, is dropped."""

    def __init__(self, stream: TokenStream, start: int, end: int, length: int):
        """Counts the rows.

        Args:
            stream: The documents' tokens, `end` between them.
            start: The id of [CLS].
            end: The id of [SEP].
            length: Tokens of a row, at least 3.

        Raises:
            ValueError: There is less text than a row.
        """
        self._stream, self._start, self._end, self._inner = stream, start, end, length - 2
        tokens = len(stream.ids) - 2  # without the separators before the first and after the last document
        if self._inner < 1 or tokens < self._inner:
            raise ValueError(
                f"Text must fill at least one row of {length} tokens, 2 of them special. Received: {tokens} tokens. "
                "Add text, or name a smaller max_length."
            )
        self._count = tokens // self._inner

    def __len__(self) -> int:
        return self._count

    def row(self, index: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        """A row; nothing is drawn.

        Returns:
            Ids (as the stream's), marks and segments (uint8), all [length]; and `FOLLOWS`, which nobody asks for.
        """
        del random
        piece = slice(1 + index * self._inner, 1 + (index + 1) * self._inner)
        ids = np.empty(self._inner + 2, self._stream.ids.dtype)
        ids[0], ids[1:-1], ids[-1] = self._start, self._stream.ids[piece], self._end
        marks = np.full(len(ids), SPECIAL, np.uint8)
        marks[1:-1] = self._stream.marks[piece]
        return ids, marks, np.zeros(len(ids), np.uint8), FOLLOWS

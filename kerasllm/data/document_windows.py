"""Rows cut from running text, one after the other: the tokens of documents, whose borders attention does not cross."""

from collections.abc import Sequence

import numpy as np


class Windows:
    """Contiguous windows of documents, each opened by the end-of-text token, which so also ends the one before."""

    def __init__(self, documents: Sequence[np.ndarray], end: int, length: int):
        """Joins the documents.

        Args:
            documents: The ids of each.
            end: The id of the end-of-text token.
            length: Tokens of a row.
        """
        parts = [part for ids in documents for part in (np.array([end], np.int32), ids)]
        self._ids = np.concatenate([*parts, np.array([end], np.int32)]).astype(np.int32)
        starts = np.cumsum([0, *(len(ids) + 1 for ids in documents)])
        self._opens = np.zeros(len(self._ids), np.int32)
        self._opens[starts] = 1
        self.length, self.tokens = length, len(self._ids) - 1

    def __len__(self) -> int:
        return -(-self.tokens // self.length)

    def row(self, index: int, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A window; `shift`, 0 to 1, moves all of them by a share of a row, so each pass cuts at other places."""
        start = index * self.length - round(shift * (self.length - 1))
        stop = min(start + self.length, self.tokens)
        start = max(start, 0)
        segments = 1 + np.cumsum(self._opens[start:stop], dtype=np.int32)
        return self._ids[start:stop], self._ids[start + 1 : stop + 1], segments

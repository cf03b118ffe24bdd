"""Rows cut from running text, one after the other: the tokens of documents, whose borders attention does not cross."""

import numpy as np

from .token_stream import TokenStream


class Windows:
    """Contiguous windows of documents, each opened by the end-of-text token, which so also ends the one before."""

    def __init__(self, stream: TokenStream, length: int):
        """Counts the windows.

        Args:
            stream: The documents' tokens, the end-of-text token between them.
            length: Tokens of a row.
        """
        self._stream = stream
        self.length, self.tokens = length, len(stream.ids) - 1

    def __len__(self) -> int:
        return -(-self.tokens // self.length)

    def row(self, index: int, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A window; `shift`, 0 to 1, moves all of them by a share of a row, so each pass cuts at other places."""
        start = index * self.length - round(shift * (self.length - 1))
        stop = min(start + self.length, self.tokens)
        start = max(start, 0)
        ids = np.array(self._stream.ids[start : stop + 1], np.int32)
        return ids[:-1], ids[1:], self._segments(start, stop)

    def _segments(self, start: int, stop: int) -> np.ndarray:
        """From 1, one more at each place where a document opens: int32 [stop - start]."""
        first, last = np.searchsorted(self._stream.starts, [start, stop])
        opens = np.zeros(stop - start, np.int32)
        opens[self._stream.starts[first:last] - start] = 1
        return 1 + np.cumsum(opens, dtype=np.int32)

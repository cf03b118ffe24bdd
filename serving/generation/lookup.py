"""Guess the next tokens from what followed the last ones before (prompt lookup decoding, Saxena 2023).

Guesses are checked by the model itself, so they change nothing but the time.
"""

from collections.abc import Sequence

# The last tokens are looked for by threes, then by pairs: what follows one token alone is hardly ever right.
_LENGTHS = (3, 2)


class PromptLookup:
    """Where short runs of tokens last were in one text. Work does not grow with its length."""

    def __init__(self, ids: Sequence[int], count: int) -> None:
        """Starts with a prompt.

        Args:
            ids: Its token ids.
            count: Most tokens to guess.
        """
        self._count = count
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        for token in ids:
            self.push(token)

    def push(self, token: int) -> None:
        """Goes on with a token."""
        for length in _LENGTHS:
            if len(self._ids) >= length:
                self._after[tuple(self._ids[-length:])] = len(self._ids)
        self._ids.append(token)

    def guess(self) -> list[int]:
        """The tokens that may come next; none where the last ones are new."""
        for length in _LENGTHS:
            place = self._after.get(tuple(self._ids[-length:]))
            if place is not None:
                run = self._ids[place : place + self._count]
                return (run * (self._count // len(run) + 1))[: self._count]  # a run that reaches the end goes round
        return []

"""How much one request may ask for, beside the bytes of its body."""

from collections.abc import Sequence
from typing import Any

from ..rows import Row
from .settings import ServerSettings


def check_count(inputs: Sequence[Any], settings: ServerSettings) -> None:
    """Refuses a request for nothing, or for too much.

    Raises:
        ValueError: There are too many texts, or none.
    """
    if not 0 < len(inputs) <= settings.most_texts:
        raise ValueError(f"A request must have from 1 to {settings.most_texts} texts. Received: {len(inputs)}.")


def check_tokens(tokens: int, settings: ServerSettings) -> None:
    """Refuses too many tokens.

    Args:
        tokens: Of all texts that are to be read or written.
        settings: Of the server.

    Raises:
        ValueError: There are too many.
    """
    if tokens > settings.most_tokens:
        raise ValueError(
            f"A request may have {settings.most_tokens:,} tokens, those to be written counted. Received: {tokens:,}. "
            "Ask for fewer or shorter texts."
        )


def check_rows(rows: Sequence[Row], settings: ServerSettings) -> int:
    """The tokens of what is to be read.

    Raises:
        ValueError: There are too many.
    """
    tokens = sum(len(row.ids) for row in rows)
    check_tokens(tokens, settings)
    return tokens

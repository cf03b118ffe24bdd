"""Texts to rows of tokens with a label each: whole where they fit, else overlapping windows, cut as in serving."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tokenizers import Encoding, Tokenizer

from ..serving.rows import Row
from ..serving.windows import Window, cut_windows
from ..tokenizing.tokenizer import encode_all
from .tokens import TokenSplit

_CHUNK = 1024  # texts whose encodings are held at once


def windowed(
    tokenizer: Tokenizer, texts: Sequence[str] | Sequence[tuple[str, str]], max_length: int, stride: int, where: str
) -> Iterator[tuple[Encoding, list[Window]]]:
    """Encodes texts and cuts windows, a few texts at a time.

    Args:
        tokenizer: An encoder's tokenizer; it is left without truncation.
        texts: Texts, or pairs, of which the second is cut.
        max_length: Most tokens of a window, special ones among them.
        stride: Tokens that neighbouring windows share.
        where: What to call the texts in an error.

    Yields:
        Each text's encoding, with all of its tokens, and its windows.

    Raises:
        ValueError: Nothing of a text fits beside the rest, or it takes too many windows; the message says which.
    """
    for start in range(0, len(texts), _CHUNK):
        for row, encoding in enumerate(encode_all(tokenizer, texts[start : start + _CHUNK], None), start=start):
            try:
                windows = cut_windows(encoding, max_length, stride)
            except ValueError as error:
                raise ValueError(f"{error} It is example {row + 1:,} of {where}.") from error
            yield encoding, windows


def joined(rows: Iterable[tuple[Row, np.ndarray]], padding: int, *, segments: bool) -> TokenSplit:
    """Rows one after the other.

    Args:
        rows: Each with a label a token, int32 [tokens], -1 where nothing is asked for.
        padding: The id that fills up a batch.
        segments: Whether the model takes the segments of tokens.
    """
    parts = list(rows)
    ids = [row.ids.astype(np.int32) for row, _ in parts]
    types = np.concatenate([np.asarray(row.types, np.uint8) for row, _ in parts]) if segments else None
    labels = np.concatenate([label for _, label in parts]).astype(np.int32)
    offsets = np.cumsum([0, *map(len, ids)], dtype=np.int64)
    return TokenSplit(np.concatenate(ids), offsets, labels, padding, types, per_token=True)

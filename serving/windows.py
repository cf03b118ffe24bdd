"""Cut a tokenized text that is longer than the model reads into overlapping windows: no token is dropped."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tokenizers

from .rows import Row

# Windows of one text: each is a run of the model.
MAX_WINDOWS = 10_000
# Tokens that neighbouring windows of a long text to tag share.
STRIDE = 128


class Window(NamedTuple):
    """A part of a text as the model reads it: special tokens and, before it, the text that is no part of it."""

    row: Row
    """All tokens."""
    inside: slice
    """Where in the row the text's own tokens are."""
    first: int
    """Place in the whole text of the first of them."""


def window_places(tokens: int, size: int, stride: int) -> list[range]:
    """Where windows lie.

    Args:
        tokens: Tokens of the text.
        size: Most tokens of a window, at least 1.
        stride: Tokens that neighbours share, as Hugging Face counts it; at most half of `size` are shared.

    Returns:
        The places of each window's tokens; together all, in order. A text of no tokens has one empty window.
    """
    step = size - min(stride, size // 2)
    return [range(start, min(start + size, tokens)) for start in range(0, max(1, tokens - size + step), step)]


def cut_windows(encoding: tokenizers.Encoding, max_length: int, stride: int) -> list[Window]:
    """Windows over the last text of an encoding; a first text, such as a question, is whole in each of them.

    Args:
        encoding: One text, or two, as the tokenizer joins them with its special tokens; not truncated.
        max_length: Most tokens of a row.
        stride: Tokens that neighbours share.

    Returns:
        The windows, one at least.

    Raises:
        ValueError: Nothing of the text fits beside the rest, or it takes too many windows.
    """
    ids, types = np.array(encoding.ids, np.int32), np.array(encoding.type_ids, np.uint8)
    last = encoding.n_sequences - 1
    own = np.flatnonzero([sequence == last for sequence in encoding.sequence_ids])
    start, end = (int(own[0]), int(own[-1]) + 1) if len(own) else (len(ids), len(ids))
    room = max_length - (len(ids) - (end - start))
    if room < 1:
        raise ValueError(
            f"A text of at most {max_length} tokens must leave room beside special tokens and the question. "
            f"Received: {len(ids) - (end - start)} tokens of them. Shorten the question."
        )
    places = window_places(end - start, room, stride)
    if len(places) > MAX_WINDOWS:
        raise ValueError(
            f"A text may take at most {MAX_WINDOWS:,} windows of {max_length} tokens. Received: one that takes "
            f"{len(places):,}. Cut it into parts."
        )
    return [_window(ids, types, start, end, place) for place in places]


def merge_windows(windows: Sequence[Window], values: Sequence[np.ndarray]) -> np.ndarray:
    """One value a token of the whole text, of the window where the token is farthest from an edge.

    Args:
        windows: The windows of a text.
        values: What the model gives for each row: [tokens of the row, ...].

    Returns:
        [tokens of the text, ...], special tokens not among them.
    """
    inner = [value[window.inside] for window, value in zip(windows, values, strict=True)]
    if len(inner) == 1:
        return inner[0]
    tokens = windows[-1].first + len(inner[-1])
    merged = np.empty((tokens, *inner[0].shape[1:]), inner[0].dtype)
    context = np.full(tokens, -1)
    for window, value in zip(windows, inner, strict=True):
        place = slice(window.first, window.first + len(value))
        here = np.minimum(np.arange(len(value)), np.arange(len(value))[::-1])
        better = here > context[place]
        merged[place][better], context[place][better] = value[better], here[better]
    return merged


def _window(ids: np.ndarray, types: np.ndarray, start: int, end: int, place: range) -> Window:
    """The window of the tokens `place` of the text that lies in `start`..`end` of all tokens."""
    keep = np.r_[0:start, start + place.start : start + place.stop, end : len(ids)]
    return Window(Row(ids[keep], types[keep]), slice(start, start + len(place)), place.start)

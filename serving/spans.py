"""From a label a token to named spans of the text: words, BIO labels, character offsets."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

OUTSIDE = "O"


class Span(NamedTuple):
    """A stretch of words under one name."""

    name: str
    """What it is, such as "person"; of the label "B-person" all but the prefix."""
    start: int
    """Its first word."""
    end: int
    """The word after its last."""


def bio_spans(labels: Sequence[str]) -> list[Span]:
    """Reads BIO labels as the CoNLL-2000 evaluation does: "B-" begins a span, "I-" goes on with one of its name.

    An "I-" that has nothing to go on with begins a span, so every sequence of labels can be read. A label without a
    prefix counts as "I-": equal neighbours are one span.

    Args:
        labels: The label of each word; "O" is none.

    Returns:
        The spans, in order; no two overlap.
    """
    spans: list[Span] = []
    for place, label in enumerate(labels):
        if label == OUTSIDE:
            continue
        prefix, name = label.split("-", 1) if label.startswith(("B-", "I-")) else ("I", label)
        if prefix == "I" and spans and spans[-1].end == place and spans[-1].name == name:
            spans[-1] = Span(name, spans[-1].start, place + 1)
        else:
            spans.append(Span(name, place, place + 1))
    return spans


def first_pieces(words: Sequence[int | None]) -> np.ndarray:
    """The tokens that speak for their word: the first piece of each.

    Args:
        words: The word of each token, as a tokenizer numbers them; None for special tokens.

    Returns:
        int64 [words], places of tokens, ascending.
    """
    before = [None, *words]
    return np.array([i for i, word in enumerate(words) if word is not None and word != before[i]], np.int64)


def word_offsets(offsets: Sequence[tuple[int, int]], words: Sequence[int | None]) -> np.ndarray:
    """Where words lie in the text.

    Args:
        offsets: Start and end of each token in the text, in characters.
        words: As for `first_pieces`.

    Returns:
        int64 [words, 2], start and end of each word in characters.
    """
    bounds: list[list[int]] = []
    before: int | None = None
    for (start, end), word in zip(offsets, words, strict=True):
        if word is not None and word != before:
            bounds.append([start, end])
        elif word is not None:
            bounds[-1][1] = max(bounds[-1][1], end)
        before = word
    return np.array(bounds, np.int64).reshape(-1, 2)


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """The stretch `start`..`end` of a text without white space at its ends, as some tokenizers give it."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end

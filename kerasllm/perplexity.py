"""How well a served decoder predicts texts, read in rows of at most its context."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .language_metrics import language_metrics


def text_rows(served: Any, texts: Iterable[str], most: int | None = None) -> list[list[int]]:
    """Texts as rows of token ids, each at most the context, with the token that begins a text where there is one.

    A text longer than the context is cut; rows share a token, so that every token but the first is predicted once.

    Args:
        served: A `TextGenerator`.
        texts: The texts; empty ones are left out.
        most: Stop after the row in which there are so many tokens; None: read them all.
    """
    width, rows, count = served.graph.context, [], 0
    for text in texts:
        if not text:
            continue
        ids = served.tokenizer.encode(text, add_special_tokens=False).ids
        if served.start is not None:
            ids = [served.start, *ids]
        for start in range(0, max(1, len(ids) - 1), max(1, width - 1)):
            row = ids[start : start + width]
            if len(row) > 1:
                rows.append(row)
                count += len(row)
            if most is not None and count >= most:
                return rows
    return rows


def score_rows(served: Any, rows: Sequence[Sequence[int]]) -> tuple[dict[str, Any], np.ndarray]:
    """Scores a decoder on rows of tokens.

    Args:
        served: A `TextGenerator`.
        rows: Token ids, two at least in each.

    Returns:
        What `language_metrics` does, and the likeliest token after every one, int64 [tokens].

    Raises:
        ValueError: There is nothing to predict.
    """
    nats, choices, right, size = 0.0, [], 0, 0
    for row in rows:
        logits, after = served.logits(row)[:-1], np.asarray(row[1:])
        highest = logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(logits - highest, dtype=np.float64).sum(axis=1)) + highest[:, 0]
        nats += float((total - np.take_along_axis(logits, after[:, None], axis=1)[:, 0]).sum())
        choices.append(logits.argmax(axis=1))
        right += int((choices[-1] == after).sum())
        size += len(served.tokenizer.decode(list(row[1:])).encode())
    tokens = sum(map(len, choices))
    return language_metrics(nats, right, tokens, size), np.concatenate(choices) if choices else np.zeros(0, np.int64)

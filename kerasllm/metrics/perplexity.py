"""How well a decoder predicts texts: the same rows and the same numbers for a RUN and for its BUNDLE."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..serving.probabilities import cross_entropy
from .language import language_metrics

# Token ids, and of each the next one, or -1 where it is not asked for: int32 [tokens] both.
LabelledRow = tuple[np.ndarray, np.ndarray]


def as_rows(served: Any, examples: Iterable[str] | Sequence[LabelledRow], most: int | None = None) -> list[LabelledRow]:
    """Examples as rows that a decoder can read: rows stay as they are, texts are tokenized as serving does.

    A text longer than the context is cut; its parts share a token, so that every token but the first is predicted once.

    Args:
        served: A `TextGenerator`.
        examples: Rows, or texts; empty ones are left out.
        most: Stop after the row with which there are so many tokens; None: read them all.
    """
    rows: list[LabelledRow] = []
    count = 0
    for row in _rows(served, examples):
        if len(row[0]) and (row[1] >= 0).any():
            rows.append(row)
            count += len(row[0])
        if most is not None and count >= most:
            break
    return rows


def _rows(served: Any, examples: Iterable[Any]) -> Iterable[LabelledRow]:
    width = served.graph.context
    for example in examples:
        if not isinstance(example, str):
            yield example[0][:width], example[1][:width]
            continue
        ids = served.tokenizer.encode(example, add_special_tokens=False).ids
        tokens = np.array([*([] if served.start is None else [served.start]), *ids], np.int32)
        for start in range(0, len(tokens) - 1, width):
            yield tokens[:-1][start : start + width], tokens[1:][start : start + width]


def score_rows(served: Any, rows: Sequence[LabelledRow]) -> tuple[dict[str, Any], np.ndarray]:
    """Scores a decoder.

    Args:
        served: A `TextGenerator`, or anything that has its `logits` and its tokenizer.
        rows: The rows.

    Returns:
        What `language_metrics` does, and the likeliest token at every place that is asked for, int64 [tokens].

    Raises:
        ValueError: There is nothing to predict.
    """
    nats, right, size, choices = 0.0, 0, 0, [np.zeros(0, np.int64)]
    for ids, labels in rows:
        known = labels >= 0
        logits, after = served.logits(ids)[known], labels[known]
        nats += float(cross_entropy(logits, after).sum())
        choices.append(logits.argmax(axis=1))
        right += int((choices[-1] == after).sum())
        size += len(served.tokenizer.decode(after.tolist()).encode())
    return language_metrics(nats, right, sum(map(len, choices)), size), np.concatenate(choices)

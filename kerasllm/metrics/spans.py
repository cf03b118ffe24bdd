"""Precision, recall and F1 of named spans: a span counts as found where name, start and end are all right.

Source: the CoNLL-2000 evaluation (Tjong Kim Sang and Buchholz 2000), which seqeval follows in its default mode.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data.tagged import TaggedSplit
from ..serving.spans import Span


def span_metrics(split: TaggedSplit, found: Sequence[Sequence[Span]], names: Sequence[str]) -> dict[str, Any]:
    """Scores the spans that a model found.

    Where the source gave words, spans are compared by words: a span has the words whose first character it holds. So
    the first piece of a word speaks for it, however the tokenizer cuts it, and scores compare with those of others.

    Args:
        split: The texts with their true spans.
        found: The spans of each text, in characters.
        names: Every name that a span can have.

    Returns:
        Shares from 0 to 1, 0 where there is nothing to share in: "examples" (texts), "precision", "recall" and "f1"
        over all spans, "macro" {"precision", "recall", "f1"}, their means over the names that occur, and "per_type"
        {name: {"precision", "recall", "f1", "spans" (true ones)}}.
    """
    truth, proposed, right = Counter[str](), Counter[str](), Counter[str]()
    for row, spans in enumerate(found):
        words = None if split.words is None else split.words[row]
        true, given = (_comparable(each, words) for each in (split.spans[row], spans))
        truth.update(span.name for span in true)
        proposed.update(span.name for span in given)
        right.update(span.name for span in true & given)
    per_type = {name: _scores(right[name], proposed[name], truth[name]) | {"spans": truth[name]} for name in names}
    occurring = [per_type[name] for name in names if truth[name] or proposed[name]]
    keys = ("precision", "recall", "f1")
    return {
        "examples": len(split),
        **_scores(right.total(), proposed.total(), truth.total()),
        "macro": {key: float(np.mean([scores[key] for scores in occurring] or [0.0])) for key in keys},
        "per_type": per_type,
    }


def as_spans(entities: Sequence[Mapping[str, Any]]) -> list[Span]:
    """What a served tagger gives for a text, as spans in characters."""
    return [Span(entity["entity_group"], entity["start"], entity["end"]) for entity in entities]


def _comparable(spans: Sequence[Span], words: np.ndarray | None) -> set[Span]:
    """Spans in characters, or in words where there are any: those whose first character a span holds."""
    if words is None:
        return set(spans)
    moved = (Span(name, *np.searchsorted(words[:, 0], (start, end)).tolist()) for name, start, end in spans)
    return {span for span in moved if span.start < span.end}


def _scores(right: int, proposed: int, truth: int) -> dict[str, float]:
    return {
        "precision": right / proposed if proposed else 0.0,
        "recall": right / truth if truth else 0.0,
        "f1": 2 * right / (proposed + truth) if proposed + truth else 0.0,
    }

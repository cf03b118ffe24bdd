"""The best answers to a question, from the logits of where an answer starts and where it ends."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tokenizers

from .probabilities import softmax
from .ranking import largest
from .spans import trim
from .windows import Window

OUTPUTS = ("start_logits", "end_logits")


class Answer(NamedTuple):
    """A stretch of the context's tokens; that there is no answer is the empty stretch at 0."""

    start: int
    """Its first token."""
    end: int
    """The token after its last."""
    score: float
    """Its probability among all answers that are allowed, 0 to 1."""


class WindowLogits(NamedTuple):
    """What the model gives for one window of the context."""

    first: int
    """Place in the whole context of the window's first token."""
    start: np.ndarray
    """Logits of the answer starting at each of the window's tokens of the context, float32 [tokens]."""
    end: np.ndarray
    """Logits of the answer ending with each of them, float32 [tokens]."""
    null: float
    """Logit of there being no answer: start and end of the first token of the row, added."""


def best_answers(
    windows: Sequence[WindowLogits], *, max_answer: int = 30, null: bool = False, top_k: int = 1
) -> list[Answer]:
    """The best answers over all windows of one context.

    An answer's logit is that of its start plus that of its end, in the window that rates it highest; that there is no
    answer is rated by the window that least believes it (Devlin et al. 2018, BERT, section 4.3).

    Args:
        windows: The windows, in any order.
        max_answer: Most tokens of an answer.
        null: Whether there may be no answer.
        top_k: How many answers to give.

    Returns:
        The answers, best first; fewer than `top_k` where the context has no more. With equal logits the earlier answer
        comes first, of those the shorter, and no answer after all of them.

    Raises:
        ValueError: `max_answer` or `top_k` is not positive.
    """
    if min(max_answer, top_k) < 1:
        raise ValueError(f"max_answer and top_k must be at least 1. Received: {max_answer} and {top_k}.")
    tokens = max((window.first + len(window.start) for window in windows), default=0)
    logits = np.full((tokens, min(max_answer, max(1, tokens))), -np.inf, np.float32)
    for window in (each for each in windows if len(each.start)):
        part = logits[window.first : window.first + len(window.start)]
        np.maximum(part, _pair_logits(window, logits.shape[1]), out=part)
    flat = logits.ravel()
    if null:
        flat = np.append(flat, np.float32(min((window.null for window in windows), default=0.0)))
    if not np.isfinite(flat).any():
        return []
    scores = softmax(flat.astype(np.float64))
    best = [place for place in largest(flat, top_k).tolist() if np.isfinite(flat[place])]
    return [_answer(place, logits, float(scores[place])) for place in best]


def context_offsets(encoding: tokenizers.Encoding) -> np.ndarray:
    """Start and end of each token of the context, in characters of the context: int64 [tokens, 2]."""
    places = zip(encoding.offsets, encoding.sequence_ids, strict=True)
    return np.array([offset for offset, sequence in places if sequence == 1], np.int64).reshape(-1, 2)


def window_logits(window: Window, outputs: Mapping[str, np.ndarray]) -> WindowLogits:
    """What the model gives for a window, from its outputs for the whole row: [tokens of the row] each."""
    start, end = (outputs[name] for name in OUTPUTS)
    return WindowLogits(window.first, start[window.inside], end[window.inside], float(start[0] + end[0]))


def answer_entry(context: str, offsets: np.ndarray, answer: Answer) -> dict[str, Any]:
    """An answer in characters.

    Args:
        context: What it is taken from.
        offsets: What `context_offsets` gives.
        answer: One of the `best_answers`.

    Returns:
        {"answer", "score", "start", "end"}, where "answer" is context[start:end].
    """
    start, end = 0, 0
    if answer.end:
        start, end = trim(context, int(offsets[answer.start, 0]), int(offsets[answer.end - 1, 1]))
    return {"answer": context[start:end], "score": answer.score, "start": start, "end": end}


def _pair_logits(window: WindowLogits, longest: int) -> np.ndarray:
    """Logits of answers of the window by their first token and their length less one: [tokens, longest]."""
    ends = np.concatenate([window.end, np.full(longest - 1, -np.inf, np.float32)])
    return window.start[:, None] + np.lib.stride_tricks.sliding_window_view(ends, longest)


def _answer(place: int, logits: np.ndarray, score: float) -> Answer:
    if place == logits.size:
        return Answer(0, 0, score)
    start, longer = divmod(place, logits.shape[1])
    return Answer(start, start + longer + 1, score)

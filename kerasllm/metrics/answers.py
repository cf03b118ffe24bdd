"""Exact match and F1 of answers, as the official evaluations of SQuAD 1.1 and 2.0 define them.

Source: Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text; 2018, Know What You Don't
Know: Unanswerable Questions for SQuAD.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..data.questions import TrueAnswer

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


def answer_metrics(truth: Sequence[Sequence[TrueAnswer]], given: Sequence[str]) -> dict[str, Any]:
    """Scores answers.

    An answer is as good as it is by the true answer that it is nearest to. That there is none, "", is right where there
    is no true answer, and where the true ones are nothing but articles and punctuation.

    Args:
        truth: The true answers of each question; none where it cannot be answered.
        given: The answer to each question.

    Returns:
        Shares from 0 to 1: "examples", "exact_match", "f1" (the mean over questions of the harmonic mean of precision
        and recall of words), and, where some questions cannot be answered, the same three of the others and of those,
        under "answerable" and "unanswerable".
    """
    exact = [max(_exact(text, answer) for text in _texts(true)) for true, answer in zip(truth, given, strict=True)]
    f1 = [max(_f1(text, answer) for text in _texts(true)) for true, answer in zip(truth, given, strict=True)]
    report: dict[str, Any] = _means(exact, f1)
    if not all(truth):
        for name, wanted in (("answerable", True), ("unanswerable", False)):
            rows = [row for row, true in enumerate(truth) if bool(true) == wanted]
            report[name] = _means([exact[row] for row in rows], [f1[row] for row in rows])
    return report


def normalized(answer: str) -> str:
    """An answer as it is compared: lower case, without punctuation and articles, one space between words."""
    return " ".join(_ARTICLE.sub(" ", answer.lower().translate(_PUNCTUATION)).split())


def _texts(truth: Sequence[TrueAnswer]) -> list[str]:
    """The true answers that are words; else that there is none."""
    return [answer.text for answer in truth if normalized(answer.text)] or [""]


def _exact(truth: str, given: str) -> float:
    return float(normalized(truth) == normalized(given))


def _f1(truth: str, given: str) -> float:
    """Of words, each as often as it occurs in both; 1 or 0 where one of the two is empty."""
    expected, received = normalized(truth).split(), normalized(given).split()
    if not expected or not received:
        return float(expected == received)
    shared = (Counter(expected) & Counter(received)).total()
    return 2 * shared / (len(expected) + len(received))


def _means(exact: Sequence[float], f1: Sequence[float]) -> dict[str, Any]:
    count = len(exact)
    return {
        "examples": count,
        "exact_match": sum(exact) / count if count else 0.0,
        "f1": sum(f1) / count if count else 0.0,
    }

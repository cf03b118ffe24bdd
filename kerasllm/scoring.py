"""Score a served bundle on a task's examples, with the metrics that score a run: the numbers can be compared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .data.dataset import Split
from .metrics import classification_metrics, predict_classes


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a served model answered, and how good that is."""

    report: dict[str, Any]
    """The task's report, as for a run of it."""
    decisions: np.ndarray | None = None
    """What it decided for each example, or part of one, [decisions, ...]; None where it decides nothing."""
    values: np.ndarray | None = None
    """The numbers behind that, float32 [rows, ...], where they mean something by themselves."""


def score(task: str, served: Any, examples: Any) -> Scored:
    """Scores a served bundle.

    Args:
        task: The Hugging Face name of its task.
        served: What `kerasllm.serving.load` gave.
        examples: A split of the task's data, as its task reads them.
    """
    return _SCORES[task](served, examples)


def questions(task: str, examples: Any) -> list[Any]:
    """What is asked of a served bundle, one an example: each can be handed to it as it is.

    Args:
        task: The Hugging Face name of its task.
        examples: A split of the task's data.
    """
    return _QUESTIONS[task](examples)


def made_up_question(task: str, served: Any, text: str) -> Any:
    """A question about any text, to measure what an answer costs."""
    if task == "question-answering":
        return {"question": " ".join(text.split()[:8]) or text, "context": text}
    if task == "fill-mask":
        return f"{text} {served.mask_token}"
    return (text, text) if getattr(served, "pair", False) else text


def _ask_texts(split: Split) -> list[Any]:
    return list(split.texts) if split.pairs is None else list(zip(split.texts, split.pairs, strict=True))


def _score_classes(served: Any, split: Split) -> Scored:
    probabilities = served.probabilities(_ask_texts(split))
    report = classification_metrics(split.labels, probabilities, served.labels, served.multi_label)
    if served.multi_label:
        report["f1"] = report["micro"]["f1"]
    decisions = predict_classes(probabilities, served.multi_label)
    return Scored(report=report, decisions=decisions, values=probabilities)


_QUESTIONS: dict[str, Callable[[Any], list[Any]]] = {"text-classification": _ask_texts}
_SCORES: dict[str, Callable[[Any, Any], Scored]] = {"text-classification": _score_classes}

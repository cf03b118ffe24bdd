"""Score a served model on a task's examples, with the metrics that training reports: the numbers can be compared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .data.dataset import Split
from .data.masked_rows import FIXED, MaskedRows
from .data.pairs import PairSplit
from .metrics import classification_metrics, headline, predict_classes
from .similarity import pair_metrics

# Rows of masked text whose logits are held at once.
_ROWS = 16


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a served model answered, and how good that is."""

    report: dict[str, Any]
    """The task's report, as for a run of it."""
    metric: tuple[str, float] = ("", 0.0)
    """The name and the value, mostly 0 to 1, of the one score that it is judged by."""
    decisions: np.ndarray | None = None
    """What it decided for each example, or part of one, [decisions, ...]; None where it decides nothing."""
    values: np.ndarray | None = None
    """The numbers behind that, float32 [rows, ...], where they mean something by themselves."""


def score(served: Any, examples: Any) -> Scored:
    """Scores a served model.

    Args:
        served: What `kerasllm.serving.load` gave, or `serve_run`.
        examples: A split of its task's data, as `read_examples` gives it.
    """
    return _SCORES[served.graph.task](served, examples)


def questions(task: str, examples: Any) -> list[Any]:
    """What is asked of a served model, one an example: each can be handed to it as it is; none for rows of tokens.

    Args:
        task: The Hugging Face name of its task.
        examples: A split of the task's data.
    """
    return _QUESTIONS[task](examples) if task in _QUESTIONS else []


def made_up_question(served: Any, text: str) -> Any:
    """A question about any text, to measure what an answer costs."""
    task = served.graph.task
    if task == "question-answering":
        return {"question": " ".join(text.split()[:8]) or text, "context": text}
    if task == "fill-mask":
        return f"{text} {served.mask_token}"
    return (text, text) if getattr(served, "pair", False) else text


def _ask_texts(split: Split) -> list[Any]:
    return list(split.texts) if split.pairs is None else list(zip(split.texts, split.pairs, strict=True))


def score_classes(served: Any, split: Split) -> Scored:
    """Scores a text classifier."""
    probabilities = served.probabilities(_ask_texts(split))
    report = classification_metrics(split.labels, probabilities, served.labels, served.multi_label)
    return Scored(
        report=report,
        metric=("micro F1" if served.multi_label else "accuracy", headline(report, served.multi_label)),
        decisions=predict_classes(probabilities, served.multi_label),
        values=probabilities,
    )


def _ask_pairs(split: PairSplit) -> list[Any]:
    return [text for pair in zip(split.firsts, split.seconds, strict=True) for text in pair]


def _score_vectors(served: Any, split: PairSplit) -> Scored:
    vectors = served(_ask_pairs(split))
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    report = pair_metrics(unit[::2], unit[1::2], split)
    name, key = ("Spearman", "spearman") if split.scores is not None else ("accuracy", "accuracy")
    return Scored(report=report, metric=(name, report[key]), values=vectors)


def _score_masks(served: Any, rows: MaskedRows) -> Scored:
    """Scores a masked language model on rows whose masks are always the same."""
    from .serving.graph import Row

    found, truth, losses = [], [], []
    for start in range(0, len(rows), _ROWS):
        batch = rows.batch(np.arange(start, min(start + _ROWS, len(rows))), *FIXED)
        lengths = batch["attention_mask"].sum(axis=1)
        types = batch.get("token_type_ids", np.zeros_like(batch["input_ids"]))
        asked = [Row(*(array[row, :size] for array in (batch["input_ids"], types))) for row, size in enumerate(lengths)]
        for row, values in served.graph.run_each(asked, ["logits"]):
            known = batch["labels"][row] >= 0
            logits, labels = values["logits"][batch["masked_positions"][row, known]], batch["labels"][row, known]
            logits = logits - logits.max(axis=1, keepdims=True)
            losses.append(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels])
            found.append((start + row, logits.argmax(axis=1)))
            truth.append(labels == found[-1][1])
    right, loss = np.concatenate(truth), float(np.concatenate(losses).mean(dtype=np.float64))
    report = {
        "rows": len(rows),
        "masked_tokens": len(right),
        "masked_accuracy": float(right.mean()),
        "perplexity": float(np.exp(loss)),
        "loss": loss,
    }
    decisions = np.concatenate([tokens for _, tokens in sorted(found, key=lambda each: each[0])])
    return Scored(report=report, metric=("masked accuracy", report["masked_accuracy"]), decisions=decisions)


_QUESTIONS: dict[str, Callable[[Any], list[Any]]] = {
    "text-classification": _ask_texts,
    "feature-extraction": _ask_pairs,
}
_SCORES: dict[str, Callable[[Any, Any], Scored]] = {
    "text-classification": score_classes,
    "feature-extraction": _score_vectors,
    "fill-mask": _score_masks,
}

"""Score a served model on a task's examples, with the metrics that training reports: the numbers can be compared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data.dataset import Split
from ..data.masked_rows import FIXED, MaskedRows
from ..data.pairs import PairSplit
from ..data.questions import QuestionSplit
from ..data.tagged import TaggedSplit, span_names
from ..metrics.answers import answer_metrics
from ..metrics.classification import classification_metrics, headline, predict_classes
from ..metrics.perplexity import as_rows, score_rows
from ..metrics.similarity import pair_metrics
from ..metrics.spans import as_spans, span_metrics
from ..serving.probabilities import cross_entropy
from ..serving.rows import Row

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


def sample_rows(served: Any, examples: Any, count: int) -> list[Row]:
    """What the graph reads of the first examples, about `count` of them; none where there are no examples."""
    if not examples:
        return []
    if isinstance(examples, MaskedRows):
        return [row for row, _, _ in _masked_rows(examples, 0, count)]
    return served.rows(questions(served.graph.task, examples)[:count])


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


def _score_spans(served: Any, split: TaggedSplit) -> Scored:
    found = [as_spans(entities) for entities in served(split.texts)]
    report = span_metrics(split, found, span_names(served.labels))
    return Scored(report=report, metric=("span F1", report["f1"]), decisions=np.array(list(map(str, found))))


def _ask_questions(split: QuestionSplit) -> list[Any]:
    pairs = zip(split.questions, split.contexts, strict=True)
    return [{"question": question, "context": context} for question, context in pairs]


def _score_answers(served: Any, split: QuestionSplit) -> Scored:
    answers = [entry["answer"] for entry in served(_ask_questions(split))]
    report = answer_metrics(split.answers, answers)
    return Scored(report=report, metric=("F1", report["f1"]), decisions=np.array(answers))


def _masked_rows(rows: MaskedRows, start: int, count: int) -> list[tuple[Row, np.ndarray, np.ndarray]]:
    """Rows with the masks that every model is scored with; the masked places, and the tokens that belong there."""
    batch = rows.batch(np.arange(start, min(start + count, len(rows))), *FIXED)
    found = []
    for index, tokens in enumerate(batch["attention_mask"].sum(axis=1)):
        known = batch["labels"][index] >= 0
        row = Row(*(batch[name][index, :tokens] for name in ("input_ids", "token_type_ids")))
        found.append((row, batch["masked_positions"][index, known], batch["labels"][index, known]))
    return found


def _score_masks(served: Any, rows: MaskedRows) -> Scored:
    decisions, right, losses = [], [], []
    for start in range(0, len(rows), _ROWS):
        asked = _masked_rows(rows, start, _ROWS)
        outputs = served.graph.run_all([row for row, _, _ in asked], ["logits"])
        for (_, places, labels), values in zip(asked, outputs, strict=True):
            logits = values["logits"][places]
            losses.append(cross_entropy(logits, labels))
            decisions.append(logits.argmax(axis=1))
            right.append(decisions[-1] == labels)
    accuracy, loss = float(np.concatenate(right).mean()), float(np.concatenate(losses).mean())
    report = {
        "rows": len(rows),
        "masked_tokens": sum(map(len, right)),
        "masked_accuracy": accuracy,
        "perplexity": float(np.exp(loss)),
        "loss": loss,
    }
    return Scored(report=report, metric=("masked accuracy", accuracy), decisions=np.concatenate(decisions))


def _score_written(served: Any, examples: Any) -> Scored:
    report, choices = score_rows(served, as_rows(served, examples))
    return Scored(report=report, metric=("perplexity", report["perplexity"]), decisions=choices)


_QUESTIONS: dict[str, Callable[[Any], list[Any]]] = {
    "text-classification": _ask_texts,
    "token-classification": lambda split: list(split.texts),
    "question-answering": _ask_questions,
    "feature-extraction": _ask_pairs,
}
_SCORES: dict[str, Callable[[Any, Any], Scored]] = {
    "text-classification": score_classes,
    "token-classification": _score_spans,
    "question-answering": _score_answers,
    "feature-extraction": _score_vectors,
    "fill-mask": _score_masks,
    "text-generation": _score_written,
}

"""How good predictions are: one function scores a RUN and a BUNDLE, so their numbers can be compared."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..extras import require
from ..serving.probabilities import sigmoid, softmax

_BINS = 15  # of confidence, for the calibration error


def activate(logits: np.ndarray, multi_label: bool) -> np.ndarray:
    """Logits to probabilities: a softmax over the classes, or a sigmoid of each; float32 [examples, classes]."""
    logits = np.asarray(logits, np.float64)
    return (sigmoid(logits) if multi_label else softmax(logits)).astype(np.float32)


def classification_metrics(
    labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str], multi_label: bool = False
) -> dict[str, Any]:
    """Scores predictions against the truth.

    Args:
        labels: int64 [examples], or float32 0/1 [examples, classes] if multi-label.
        probabilities: float32 [examples, classes], 0 to 1.
        names: The classes' names.
        multi_label: Whether each class is a question of its own, answered at 0.5, instead of one being chosen.

    Returns:
        A dict that JSON can hold, shares from 0 to 1:
        "examples"; "accuracy" (multi-label: all labels of an example right);
        "loss" (mean cross-entropy in nats); "calibration_error" (see `calibration_error`);
        "micro" and "macro" {"precision", "recall", "f1"};
        "per_class" {name: {"precision", "recall", "f1", "examples"}};
        "confusion" [true][predicted] counts (multi-label: for each class [[true negatives, false positives],
        [false negatives, true positives]]).
    """
    scores = require("train", "sklearn.metrics")
    if len(labels) == 0:
        raise ValueError("There must be at least one example to score. Received: an empty split.")
    predicted = predict_classes(probabilities, multi_label)
    each = list(range(len(names)))
    average = {
        kind: scores.precision_recall_fscore_support(
            labels, predicted, labels=each, average=None if kind == "per_class" else kind, zero_division=0
        )
        for kind in ("micro", "macro", "per_class")
    }
    if multi_label:
        confusion = scores.multilabel_confusion_matrix(labels, predicted)
    else:
        confusion = scores.confusion_matrix(labels, predicted, labels=each)
    return {
        "examples": len(labels),
        "accuracy": float(scores.accuracy_score(labels, predicted)),
        "loss": cross_entropy(labels, probabilities),
        "calibration_error": calibration_error(labels, probabilities),
        "micro": _named(average["micro"]),
        "macro": _named(average["macro"]),
        "per_class": {
            name: {**_named([column[index] for column in average["per_class"]]), "examples": int(count)}
            for index, (name, count) in enumerate(zip(names, average["per_class"][3], strict=True))
        },
        "confusion": confusion.tolist(),
    }


def headline(metrics: dict[str, Any], multi_label: bool) -> float:
    """The one number that says how good a model is: accuracy, or for multi-label the micro F1."""
    return metrics["micro"]["f1"] if multi_label else metrics["accuracy"]


def predict_classes(probabilities: np.ndarray, multi_label: bool) -> np.ndarray:
    """The decision: int64 [examples], the likeliest class; or for multi-label 0/1 [examples, classes], at 0.5."""
    return (probabilities >= 0.5).astype(np.int64) if multi_label else probabilities.argmax(axis=1)


def cross_entropy(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative log-likelihood of the truth, in nats (multi-label: also over the classes)."""
    likelihood = (
        np.where(labels > 0, probabilities, 1 - probabilities) if labels.ndim == 2 else _chosen(labels, probabilities)
    )
    return float(-np.log(np.clip(likelihood, 1e-7, 1)).mean())


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = _BINS) -> float:
    """Expected calibration error: the mean distance of confidence and accuracy over equal bins of confidence, 0 to 1.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3.
    """
    share, confidence, accuracy = reliability(labels, probabilities, bins)
    return float((share * np.abs(confidence - accuracy)).sum())


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = _BINS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions in equal bins of their confidence, 0 to 1.

    Args:
        labels: int64 [examples], or float32 0/1 [examples, classes]: then each class of each example counts.
        probabilities: float32 [examples, classes].
        bins: How many.

    Returns:
        For each bin its share of the predictions, mean confidence and accuracy, float64 [bins]; zeros where empty.
    """
    if labels.ndim == 2:
        confidence = np.maximum(probabilities, 1 - probabilities).ravel()
        right = ((probabilities >= 0.5) == (labels > 0)).ravel()
    else:
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights, minlength=bins) for weights in (confidence, right)]
    mean_confidence, accuracy = (total / np.maximum(count, 1) for total in sums)
    return count / len(confidence), mean_confidence, accuracy


def _chosen(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return np.take_along_axis(probabilities, labels[:, None], axis=1)


def _named(scores: Sequence[Any]) -> dict[str, float]:
    return {name: float(score) for name, score in zip(("precision", "recall", "f1"), scores, strict=False)}

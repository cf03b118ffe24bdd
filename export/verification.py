"""Measure the variants of a bundle as the folder serves them: parity, metric, latency."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..data.dataset import Split
from ..metrics import classification_metrics, headline
from ..serving import load
from ..serving.classification import TextClassifier
from ..serving.measurement import measure_latency, sample_texts
from .errors import ExportError
from .parity import check_parity, compare, trial_batches
from .signature import Signature

# Time to measure a variant's latency, in seconds.
_SECONDS = 0.5


def measure_variants(
    model: keras.Model, folder: Path, signature: Signature, variants: Sequence[str], validation: Split | None
) -> dict[str, dict[str, Any]]:
    """Measures each variant.

    Args:
        model: The Keras model.
        folder: The bundle folder, with a manifest that serving can read.
        signature: How the model is called.
        variants: Variants of the folder, fp32 first: the others are compared with it.
        validation: Labelled texts, or None.

    Returns:
        Variant to "parity", "latency_ms" and, with labelled texts, "metric".

    Raises:
        ExportError: The fp32 graph does not give what Keras gives.
    """
    texts = validation.texts if validation else []
    records: dict[str, dict[str, Any]] = {}
    reference = np.empty(0)
    for name in variants:
        classifier = load(folder, variant=name, providers="cpu")
        scores = classifier.probabilities(texts) if texts else _on_random_rows(classifier, signature)
        if name == "fp32":
            reference, parity = scores, check_parity(model, classifier, signature, texts)
        else:
            parity = compare(reference, scores, multi_label=classifier.multi_label)
        records[name] = {"parity": parity, "latency_ms": _latency(folder, name, texts, signature)}
        if validation and texts:
            records[name]["metric"] = _metric(validation, scores, classifier.labels, classifier.multi_label)
    return records


def _on_random_rows(classifier: TextClassifier, signature: Signature) -> np.ndarray:
    """Probabilities on the trial batches, where there are no real texts."""
    return np.concatenate([classifier.run(rows) for rows in trial_batches(signature)])


def _metric(validation: Split, scores: np.ndarray, labels: Sequence[str], multi_label: bool) -> dict[str, Any]:
    metrics = classification_metrics(validation.labels, scores, labels, multi_label)
    name = "micro F1" if multi_label else "accuracy"
    return {"name": name, "value": headline(metrics, multi_label), "examples": len(validation.texts)}


def _latency(folder: Path, variant: str, texts: Sequence[str], signature: Signature) -> dict[str, Any]:
    """Milliseconds of one text of median length, tokenizing included, on one thread."""
    classifier = load(folder, variant=variant, threads=1, providers="cpu")
    if texts:
        text = sorted(texts, key=len)[len(texts) // 2]
    else:
        text = sample_texts(classifier.tokenizer, tokens=min(50, signature.max_length), count=1)[0]
    measured = measure_latency(lambda: classifier(text), seconds=_SECONDS)
    return {**measured, "threads": 1, "tokens": len(classifier.tokenize([text])[0])}


def check_drop(name: str, record: dict[str, Any], fp32: dict[str, Any], max_drop: float) -> None:
    """Notes what a variant loses of the metric; refuses it where that is too much.

    Args:
        name: The variant.
        record: What was measured of it; "drop" is added to its metric.
        fp32: What was measured of fp32.
        max_drop: Most that may be lost, 0 to 1.

    Raises:
        ExportError: More is lost.
    """
    if name == "fp32" or "metric" not in record:
        return
    metric, best = record["metric"], fp32["metric"]["value"]
    metric["drop"] = best - metric["value"]
    if metric["drop"] > max_drop:
        raise ExportError(
            f"The variant {name} may lose at most {100 * max_drop:.2f} points of {metric['name']} on the validation "
            f"texts. Received: a loss of {100 * metric['drop']:.2f} ({100 * best:.2f} to {100 * metric['value']:.2f}). "
            f"Nothing was written: raise the budget (max_drop, --max-drop) or leave {name} out (--variants fp32)."
        )

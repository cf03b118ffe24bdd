"""Measure the variants of a bundle as the folder serves them: parity, metric, latency."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..evaluation.scoring import Scored, made_up_question, questions, sample_rows, score
from ..serving import load
from ..serving.graph import pad
from ..serving.measurement import measure_latency, sample_texts
from .errors import ExportError
from .parity import check_parity, compare_answers, compare_graphs
from .signature import Signature

# Time to measure a variant's latency, in seconds.
_SECONDS = 0.5
# Examples that are run through Keras too.
_EXAMPLES = 48
# Examples that static int8 takes its ranges from.
_CALIBRATION = 100


def measure_variants(
    model: keras.Model, folder: Path, signature: Signature, variants: Sequence[str], validation: Any
) -> dict[str, dict[str, Any]]:
    """Measures each variant.

    Args:
        model: The Keras model.
        folder: The bundle folder, with a manifest that serving can read.
        signature: How the model is called.
        variants: Variants of the folder, fp32 first: the others are compared with it.
        validation: Examples of the task, or None.

    Returns:
        Variant to "parity", "latency_ms" and, with examples, "metric".

    Raises:
        ExportError: A graph in float32 does not give what Keras gives.
    """
    asked = questions(signature.task, validation) if validation else []
    records: dict[str, dict[str, Any]] = {}
    reference: Any = None
    expected: Scored | None = None
    batches: list[Any] = []
    for name in variants:
        served = load(folder, variant=name, providers="cpu")
        scored = score(served, validation) if validation else None
        if name == "fp32":
            reference, expected = served, scored
        if name in ("int8", "static"):
            multi_label = getattr(served, "multi_label", False)
            parity = compare_graphs(reference, served, signature, batches, multi_label=multi_label)
            parity |= compare_answers(expected, scored) if expected and scored else {}
        else:
            parity, batches = check_parity(model, served, signature, sample_rows(served, validation, _EXAMPLES))
        records[name] = {"parity": parity, "latency_ms": _latency(folder, name, asked, signature)}
        if scored:
            metric, value = scored.metric
            records[name]["metric"] = {"name": metric, "value": value, "examples": len(validation)}
    return records


def calibration_feeds(folder: Path, signature: Signature, validation: Any) -> list[dict[str, np.ndarray]]:
    """Inputs of real texts to take ranges from: one text a run, so that no padding counts.

    Args:
        folder: The bundle folder, with fp32 and a manifest that serving can read.
        signature: How the model is called.
        validation: Examples of the task.

    Returns:
        Input name to int64 [1, tokens], for each text.
    """
    served = load(folder, variant="fp32", providers="cpu")
    feeds = []
    for row in sample_rows(served, validation, _CALIBRATION):
        arrays = pad([row], served.preprocessing)
        feeds.append({name: arrays[role] for role, name in signature.inputs.items()})
    return feeds


def _latency(folder: Path, variant: str, asked: Sequence[Any], signature: Signature) -> dict[str, Any]:
    """Milliseconds of one text of median length, tokenizing included, on one thread."""
    served = load(folder, variant=variant, threads=1, providers="cpu")
    if asked:
        question = sorted(asked, key=lambda each: len(str(each)))[len(asked) // 2]
    else:
        text = sample_texts(served.tokenizer, tokens=min(50, signature.max_length // 2 + 1), count=1)[0]
        question = made_up_question(served, text)
    measured = measure_latency(lambda: served(question), seconds=_SECONDS)
    return {**measured, "threads": 1, "tokens": sum(len(row.ids) for row in served.rows([question]))}


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

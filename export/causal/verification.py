"""Hold a decoder's variants to Keras and to each other, through the very door that serves them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ...metrics.perplexity import as_rows, score_rows
from ...serving import load
from ...serving.generation.session import DecodeSession
from ..errors import ExportError
from .reading import CausalParts

# Share of the largest logit, or absolute, that float32 may differ by.
_TOLERANCE = 1e-4
_LENGTHS, _STEPS = (1, 7, 12, 3), 8
# Validation tokens that a variant is measured on, and tokens that its speed is.
_TOKENS, _TIMED = 20_000, 32
# Rows whose logits are compared.
_COMPARED = 16
# How many times as much as the others a variant may lose: 4 bits have a sixteenth of the steps of 8.
_PATIENCE = {"int4": 10.0}


@dataclass(frozen=True)
class Continued:
    """Rows that a variant read and went on with, greedily."""

    rows: list[list[int]]
    """Token ids, each prompt with its continuation but for the last token."""
    logits: list[np.ndarray]
    """float32 [tokens, vocabulary] of each row."""


def measure_causal(
    model: Any, parts: CausalParts, folder: Path, variants: Sequence[str], examples: Sequence[Any]
) -> dict[str, dict[str, Any]]:
    """Measures each variant that serving can read.

    Args:
        model: The Keras model.
        parts: The same, read.
        folder: The bundle folder, with a manifest.
        variants: Variants, fp32 first.
        examples: Validation texts, or rows of `perplexity`, or none.

    Returns:
        Variant to "parity", "latency_ms" (of a token) and, with examples, "metric".

    Raises:
        ExportError: A graph in float32 does not give what Keras gives.
    """
    records: dict[str, dict[str, Any]] = {}
    reference: list[np.ndarray] = []
    for name in variants:
        served = load(folder, variant=name, providers="cpu")
        rows = as_rows(served, examples, _TOKENS)
        plain = [ids.tolist() for ids, _ in rows] or random_rows(parts)
        continued = continue_rows(served.graph, _prompts(plain, parts))
        parity = check_parity(model, continued) if name == "fp32" else {}
        logits = [served.logits(row) for row in plain[:_COMPARED]]
        if name == "fp32":
            reference = logits
        else:
            parity = _compare(reference, logits)
        metric = _metric(served, rows)
        del served  # one session at a time: each may be as large as the model
        records[name] = {"parity": parity, "latency_ms": _latency(folder, name, plain[0]), **metric}
    return records


def _metric(served: Any, rows: Sequence[Any]) -> dict[str, Any]:
    """Perplexity on validation rows, where there are any."""
    if not rows:
        return {}
    report, _ = score_rows(served, rows)
    metric = {"name": "perplexity", "value": report["perplexity"], "bits_per_byte": report["bits_per_byte"]}
    return {"metric": {**metric, "examples": len(rows), "tokens": report["tokens"]}}


def continue_rows(graph: Any, prompts: Sequence[Sequence[int]]) -> Continued:
    """Reads prompts of different lengths and goes on with all of them at once, each time with the likeliest token."""
    session = DecodeSession(graph, len(prompts))
    rows = [list(prompt) for prompt in prompts]
    logits = [[session.extend(slot, prompt, keep=len(prompt))] for slot, prompt in enumerate(prompts)]
    for _ in range(min(_STEPS, graph.context - max(map(len, prompts)))):
        tokens = [int(parts[-1][-1].argmax()) for parts in logits]
        for row, token in zip(rows, tokens, strict=True):
            row.append(token)
        for parts, found in zip(logits, session.step(tokens), strict=True):
            parts.append(found[None].copy())
    return Continued(rows, [np.concatenate(parts) for parts in logits])


def check_parity(model: Any, continued: Continued) -> dict[str, Any]:
    """Holds logits and greedy tokens to Keras's own, from the whole text with no cache.

    Raises:
        ExportError: They differ by more than rounding.
    """
    expected = keras_logits(model, continued.rows)
    largest = max(float(np.abs(array).max()) for array in expected)
    difference = max(float(np.abs(here - there).max()) for here, there in zip(continued.logits, expected, strict=True))
    bound = _TOLERANCE * max(1.0, largest)
    if not difference <= bound:
        raise ExportError(
            f"The graph must give the logits of Keras within {bound:.1e}. Received: a difference of {difference:.1e}. "
            "Nothing was written; please report the model."
        )
    same = [int(row[-1].argmax()) == int(own[-1].argmax()) for row, own in zip(continued.logits, expected, strict=True)]
    return {"max_abs_difference": difference, "bound": bound, "rows": len(same), "agreement": float(np.mean(same))}


def keras_logits(model: Any, rows: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """Logits of each row, float32 [tokens, vocabulary], of one padded batch without a cache."""
    width = max(2, *map(len, rows))  # Keras warns of attention over a single token
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows], np.int32)
    ids = np.array([[*row, *[0] * (width - len(row))] for row in rows], np.int32)
    logits = model({"token_ids": ids, "padding_mask": mask}, training=False)
    logits = keras.ops.convert_to_numpy(logits).astype(np.float32)
    return [row[: len(own)] for row, own in zip(logits, rows, strict=True)]


def check_rise(name: str, record: dict[str, Any], fp32: dict[str, Any], max_drop: float) -> None:
    """Notes how far a variant's perplexity is above that of fp32; refuses it where that is too far.

    Args:
        name: The variant.
        record: What was measured of it; "drop", the relative rise, is added to its metric.
        fp32: What was measured of fp32.
        max_drop: Most that it may rise, of 1; int4 may ten times as much.

    Raises:
        ExportError: It rises more.
    """
    if name == "fp32" or "metric" not in record:
        return
    metric, budget = record["metric"], max_drop * _PATIENCE.get(name, 1.0)
    metric["drop"] = metric["value"] / fp32["metric"]["value"] - 1
    if not metric["drop"] <= budget:
        raise ExportError(
            f"The perplexity of {name} may rise by at most {100 * budget:.2f} % on the validation texts. Received: "
            f"{fp32['metric']['value']:.3f} to {metric['value']:.3f}, {100 * metric['drop']:.2f} %. Nothing was "
            f"written: raise the budget (max_drop, --max-drop) or leave {name} out (--variants)."
        )


def _compare(reference: Sequence[np.ndarray], logits: Sequence[np.ndarray]) -> dict[str, Any]:
    """Largest difference of log-probabilities from fp32, and the share of equal choices."""
    pairs = list(zip(reference, logits, strict=True))
    same = np.concatenate([a.argmax(-1) == b.argmax(-1) for a, b in pairs])
    difference = max(float(np.abs(_log_softmax(a) - _log_softmax(b)).max()) for a, b in pairs)
    return {"max_abs_difference": difference, "agreement": float(same.mean()), "compared_with": "fp32"}


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def random_rows(parts: CausalParts) -> list[list[int]]:
    """Four rows of any tokens."""
    draw = np.random.default_rng(0)
    length = min(64, parts.context)
    return draw.integers(0, parts.vocab_size, (4, length)).tolist()


def _prompts(rows: Sequence[Sequence[int]], parts: CausalParts) -> list[list[int]]:
    """Beginnings of rows, of different lengths."""
    longest = max(1, parts.context // 2)
    return [list(rows[index % len(rows)])[: min(length, longest)] for index, length in enumerate(_LENGTHS)]


def _latency(folder: Path, variant: str, row: Sequence[int]) -> dict[str, Any]:
    """Milliseconds of a token after a short text, on one thread."""
    graph = load(folder, variant=variant, threads=1, providers="cpu").graph
    session = DecodeSession(graph)
    times, token = [], int(session.extend(0, row[: min(8, max(1, graph.context // 2))])[-1].argmax())
    for _ in range(min(_TIMED, graph.context - len(session.ids[0]))):
        start = time.perf_counter()
        token = int(session.step([token])[0].argmax())
        times.append(1e3 * (time.perf_counter() - start))
    p50, p95, p99 = (float(value) for value in np.percentile(times, [50, 95, 99]))
    return {"p50": p50, "p95": p95, "p99": p99, "runs": len(times), "threads": 1, "tokens": 1}

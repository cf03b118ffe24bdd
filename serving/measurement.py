"""Measure a served classifier: latency of one text, throughput of batches."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tokenizers

from .classification import TextClassifier


def measure_latency(call: Callable[[], object], *, seconds: float = 1.0, most: int = 1000) -> dict[str, float]:
    """Times repeated calls, after some that are not counted.

    Args:
        call: What to time.
        seconds: Time to spend, warm-up not counted; at least 5 calls are made.
        most: Most calls to make.

    Returns:
        "p50", "p95" and "p99" of the time of a call in milliseconds, and the number of "runs".
    """
    for _ in range(5):
        call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or (len(times) < most and time.perf_counter() < end):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    p50, p95, p99 = (1e3 * float(value) for value in np.percentile(times, [50, 95, 99]))
    return {"p50": p50, "p95": p95, "p99": p99, "runs": len(times)}


def measure_throughput(
    classifier: TextClassifier, texts: Sequence[str], *, batch_size: int, seconds: float = 1.0
) -> float:
    """Texts per second, tokenizing included.

    Args:
        classifier: The classifier.
        texts: What it classifies, over and over.
        batch_size: Texts of one run of the graph.
        seconds: Time to spend.
    """
    classifier.probabilities(texts, batch_size=batch_size)
    start, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() - start < seconds:
        classifier.probabilities(texts, batch_size=batch_size)
        done += len(texts)
    return done / (time.perf_counter() - start)


def sample_texts(tokenizer: tokenizers.Tokenizer, *, tokens: int, count: int, seed: int = 0) -> list[str]:
    """Made-up texts of known vocabulary and about one length.

    Args:
        tokenizer: Whose vocabulary the texts are drawn from.
        tokens: Length to aim at, in tokens; a subword tokenizer may join or split some.
        count: Number of texts.
        seed: Seed of the draw.
    """
    draw = np.random.default_rng(seed)
    ids = draw.integers(0, tokenizer.get_vocab_size(), (count, tokens))
    return [tokenizer.decode(row.tolist(), skip_special_tokens=True) for row in ids]


def measure(
    classifier: TextClassifier, texts: Sequence[str], *, batch_sizes: Sequence[int], seconds: float = 1.0
) -> dict[str, Any]:
    """Latency of one text and throughput of batches.

    Args:
        classifier: The classifier, with the threads that it was loaded with.
        texts: What to classify, in turn.
        batch_sizes: Batch sizes to try.
        seconds: Time for each figure.

    Returns:
        "latency_ms" as `measure_latency` gives it, and "texts_per_second" by batch size.
    """
    turn = itertools.cycle(texts)
    latency = measure_latency(lambda: classifier(next(turn)), seconds=seconds)
    speed = {size: measure_throughput(classifier, texts, batch_size=size, seconds=seconds) for size in batch_sizes}
    return {"latency_ms": latency, "texts_per_second": speed}

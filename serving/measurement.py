"""Measure a served bundle: latency of one input, throughput of many."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tokenizers


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
    served: Callable[[list[Any]], object], inputs: Sequence[Any], *, batch_size: int, seconds: float = 1.0
) -> float:
    """Inputs per second, tokenizing included.

    Args:
        served: What `load` gave.
        inputs: What it is asked, over and over.
        batch_size: Inputs of one call.
        seconds: Time to spend.
    """
    calls = [list(inputs[start : start + batch_size]) for start in range(0, len(inputs), batch_size)]
    for call in calls:
        served(call)
    start, done = time.perf_counter(), 0
    for call in itertools.cycle(calls):
        served(call)
        done += len(call)
        if time.perf_counter() - start >= seconds:
            break
    return done / (time.perf_counter() - start)


def sample_inputs(served: Any, *, tokens: int, count: int, seed: int = 0) -> list[Any]:
    """Made-up inputs of about one length, as the task of a served bundle takes them.

    Args:
        served: What `load` gave.
        tokens: Length to aim at, in tokens: of a text, of each of a pair, or of a context.
        count: Number of inputs.
        seed: Seed of the draw.
    """
    texts = sample_texts(served.tokenizer, tokens=tokens, count=count, seed=seed)
    return [as_input(served, text) for text in texts]


def as_input(served: Any, text: str) -> Any:
    """An input of a served bundle's task, made of any text."""
    if served.graph.task == "question-answering":
        return {"question": " ".join(text.split()[:8]) or text, "context": text}
    if served.graph.task == "fill-mask":
        return f"{served.mask_token} {text}"
    return (text, text) if getattr(served, "pair", False) else text


def sample_texts(tokenizer: tokenizers.Tokenizer, *, tokens: int, count: int, seed: int = 0) -> list[str]:
    """Made-up texts of known vocabulary and about one length.

    Args:
        tokenizer: Whose vocabulary the texts are drawn from.
        tokens: Length to aim at, in tokens; a subword tokenizer may join or split some.
        count: Number of texts.
        seed: Seed of the draw.
    """
    draw = np.random.default_rng(seed)
    special = [number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special]
    ids = draw.choice(np.setdiff1d(np.arange(tokenizer.get_vocab_size()), special), (count, tokens))
    return [tokenizer.decode(row.tolist()) for row in ids]


def measure(
    served: Callable[[Any], object], inputs: Sequence[Any], *, batch_sizes: Sequence[int], seconds: float = 1.0
) -> dict[str, Any]:
    """Latency of one input and throughput of batches.

    Args:
        served: What `load` gave, with the threads that it was loaded with.
        inputs: What to ask, in turn.
        batch_sizes: Numbers of inputs of a call to try.
        seconds: Time for each figure.

    Returns:
        "latency_ms" as `measure_latency` gives it, and "texts_per_second" by batch size.
    """
    turn = itertools.cycle(inputs)
    latency = measure_latency(lambda: served(next(turn)), seconds=seconds)
    speed = {size: measure_throughput(served, inputs, batch_size=size, seconds=seconds) for size in batch_sizes}
    return {"latency_ms": latency, "texts_per_second": speed}

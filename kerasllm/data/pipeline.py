"""Batches that are a pure function of their number, as a source that `fit`, `evaluate` and `predict` read.

The source is a `tf.data.Dataset` where TensorFlow is installed. Where it is not, JAX and PyTorch read the very same
batches from a Python generator that makes them a little ahead, in threads.
"""

import importlib.util
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count as numbers_from
from typing import Any

from ..extras import require

_WORKERS, _AHEAD = 2, 4  # batches that are made at once, and that wait to be read


@dataclass(frozen=True)
class Spec:
    """An array of every batch: its dtype's name, and its shape, None where batches differ."""

    dtype: str
    shape: tuple[int | None, ...]


def pipeline(make: Callable[[int], tuple], spec: tuple, *, start: int = 0, count: int | None = None) -> Iterable[Any]:
    """The batches from a number on.

    Args:
        make: Gives the batch with a number: numpy arrays in tuples and dicts, as `fit` takes them, a tuple outside.
            It is called from several threads, and always gives the same.
        spec: The same tuples and dicts, with a `Spec` for each array.
        start: The number of the first batch.
        count: How many there are; None: no end.

    Returns:
        A source of the batches in order. Without TensorFlow it is read once, and ends its threads when it is closed or
        forgotten; what `make` raises, it raises.
    """
    if importlib.util.find_spec("tensorflow") or require("train", "keras").backend.backend() == "tensorflow":
        return _dataset(make, spec, start, count)
    return made_ahead(make, numbers_from(start) if count is None else range(start, start + count))


def made_ahead(make: Callable[[int], tuple], numbers: Iterable[int]) -> Iterator[tuple]:
    """The batches with these numbers, the next ones made while one is used."""
    waiting: deque[Future[tuple]] = deque()
    pool = ThreadPoolExecutor(_WORKERS, "batches")
    try:
        for number in numbers:
            waiting.append(pool.submit(make, number))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _dataset(make: Callable[[int], tuple], spec: tuple, start: int, count: int | None) -> Iterable[Any]:
    tf = require("train", "tensorflow")
    if require("train", "keras").backend.backend() != "tensorflow":
        with suppress(RuntimeError):  # its user has set it up already
            tf.config.set_visible_devices([], "GPU")  # it would take all of the memory that the backend needs
    specs = tf.nest.flatten(spec)

    def element(number: Any) -> Any:
        dtypes = [tf.as_dtype(each.dtype) for each in specs]
        arrays = tf.numpy_function(lambda at: tf.nest.flatten(make(int(at))), [number], dtypes, stateful=False)
        for array, each in zip(arrays, specs, strict=True):
            array.set_shape(each.shape)
        return tf.nest.pack_sequence_as(spec, arrays)

    numbers = tf.data.Dataset.counter(start) if count is None else tf.data.Dataset.range(start, start + count)
    return numbers.map(element, num_parallel_calls=2, deterministic=True).prefetch(tf.data.AUTOTUNE)

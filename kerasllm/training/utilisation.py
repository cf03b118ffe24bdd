"""What share of the device's arithmetic a training uses.

The whole is what matrix products reach on the device with the backend in use, in the type that the training computes
in, not what its maker names: the best of all that was measured so far, once more after every epoch, as other work on
the machine comes and goes.
"""

import time
from functools import cache
from typing import Any

import numpy as np

from ..console import say

_TILE = 512  # rows and columns of random numbers, which larger matrices repeat
_LARGEST = 8192  # 256 MB of float32
_LONG = 0.01  # seconds of a product after which a larger one is not tried
_SECONDS, _REPEATS = 0.03, 3  # of a measure, and how many of them

_best: dict[str, float] = {}  # by type, operations a second of a device


def utilisation(flops: float, dtype: str, devices: int = 1) -> float:
    """The share of the devices' arithmetic that a training uses, 0 to 1.

    A training that is faster than all products measured shows that these were not the whole; it becomes the whole
    itself, and its share 1 is the least that can be said.

    Args:
        flops: Floating-point operations a second of the training.
        dtype: The type that its products are computed in.
        devices: How many devices share the work.
    """
    _best[dtype] = max(_best.get(dtype, 0.0), product_flops(dtype))
    if flops > devices * _best[dtype]:
        say("The training is faster than the matrix products that it is measured with, which count as 100 %.")
        _best[dtype] = flops / devices
    return flops / (devices * _best[dtype])


def product_flops(dtype: str) -> float:
    """Floating-point operations a second of the fastest of a few matrix products, measured now."""
    return _rate(_size(dtype), dtype)


@cache
def _size(dtype: str) -> int:
    """Rows and columns of the matrices: as large as it pays, or as takes a moment."""
    from .devices import gpus, on_tpu

    size = 8 * _TILE if gpus() or on_tpu() else _TILE
    rate = _rate(size, dtype)
    while size < _LARGEST and 2 * size**3 / rate < _LONG:
        larger = _rate(2 * size, dtype)
        if larger < 1.05 * rate:
            break
        size, rate = 2 * size, larger
    return size


def _rate(size: int, dtype: str) -> float:
    from keras import ops

    tile = np.random.default_rng(0).standard_normal((_TILE, _TILE), np.float32) / np.sqrt(size)
    matrix = ops.cast(ops.convert_to_tensor(np.tile(tile, (size // _TILE, size // _TILE))), dtype)
    _seconds(matrix, 1)  # compiles, chooses a kernel, wakes the device up
    count = max(1, round(_SECONDS / _seconds(matrix, 1)))
    return 2 * size**3 * count / min(_seconds(matrix, count) for _ in range(_REPEATS))


def _seconds(matrix: Any, count: int) -> float:
    """The time of so many products, which a device takes in one go: only the last is waited for."""
    from keras import ops

    start = time.perf_counter()
    for _ in range(count):
        product = ops.matmul(matrix, matrix)
    float(ops.cast(product[0, 0], "float32"))
    return time.perf_counter() - start

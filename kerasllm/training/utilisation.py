"""What share of the device's arithmetic a training uses."""

import time
from functools import cache

_SIZE = 1536  # rows and columns of the matrices: larger than any cache of a core, done in a moment
_REPEATS = 5


@cache
def peak_flops() -> float:
    """Floating-point operations a second of the fastest of a few float32 matrix products, measured once.

    It is what the device reaches with the backend in use, not what its maker names.
    """
    import numpy as np
    from keras import ops

    matrix = ops.convert_to_tensor(np.full((_SIZE, _SIZE), 1e-3, np.float32))
    best = float("inf")
    for _ in range(_REPEATS):
        start = time.perf_counter()
        float(ops.sum(ops.matmul(matrix, matrix)[0]))  # a number of it: the product must be there by then
        best = min(best, time.perf_counter() - start)
    return 2 * _SIZE**3 / best

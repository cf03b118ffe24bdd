"""Weights to int8: symmetric, rounded to nearest, and so that no CPU can get their products wrong.

x86 CPUs without VNNI multiply uint8 by int8 in pairs: two products, of rows 2i and 2i+1 of the weight, are summed in
int16, which holds 32,767 at most. Activations reach 255, so a pair of weights 127 and 127 overflows, and the result is
wrong, silently. ONNX Runtime can be told to compute in another way (`session.x64quantprecision`), a third slower.
Here the sum of each pair is bounded instead: 255 * 128 = 32,640 fits. On the weights of an LSTM that costs less than
half a bit (relative error 0.85 %, for 0.64 %; 7 bits: 1.28 %), and the fast kernel is exact on every CPU.
"""

import numpy as np

LARGEST = 127
LARGEST_PAIR = 128
# Scales to try, as multiples of the one that just holds the largest weight: a larger one bends fewer pairs.
_STEPS = np.linspace(0.8, 2.0, 25, dtype=np.float32)
_BLOCK = 1 << 20  # elements to work on at once


def round_factor(weight: np.ndarray, *, per_column: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Rounds the constant factor of a matrix product, with the scales of least squared error.

    Args:
        weight: float [in, out]; `in` is summed over.
        per_column: A scale for each column; else one for all.

    Returns:
        int8 [in, out], where no |even row + odd row| exceeds 128, and the scales, float32 [out] or [1].
    """
    blocks = max(1, weight.size // _BLOCK) if per_column else 1
    parts = [_round_block(block, 0 if per_column else None) for block in np.array_split(weight, blocks, axis=1)]
    return np.concatenate([part for part, _ in parts], axis=1), np.concatenate([scales for _, scales in parts])


def round_slices(weight: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rounds a weight that is made float again before it is used, as finely as 8 bits can.

    Args:
        weight: float, any shape.
        axes: Axes of the elements that share a scale.

    Returns:
        int8 of the same shape, and the scales, float32, broadcast over `axes`.
    """
    scale = _held(np.abs(weight).max(axis=axes, keepdims=True)) / LARGEST
    return np.rint(weight / scale).astype(np.int8), scale


def relative_error(weight: np.ndarray, rounded: np.ndarray, scale: np.ndarray) -> float:
    """What rounding changed of a column [in], relative to its norm; the mean over the columns of [in, out]."""
    norms = _held(np.linalg.norm(weight, axis=0))
    return float(np.mean(np.linalg.norm(rounded * scale - weight, axis=0) / norms))


def _round_block(weight: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    unit = _held(np.abs(weight).max(axis=axis, keepdims=True)) / LARGEST
    best, least = unit, np.full(unit.shape, np.inf, np.float32)
    for step in _STEPS:
        error = np.square(_round_pairs(weight / (unit * step)) * (unit * step) - weight).sum(axis, keepdims=True)
        best, least = np.where(error < least, unit * step, best), np.minimum(error, least)
    return _round_pairs(weight / best).astype(np.int8), best.reshape(-1)


def _round_pairs(ratio: np.ndarray) -> np.ndarray:
    """Rounds float [in, out] to whole numbers in -127 ... 127, then takes what is too much from both of a pair."""
    rounded = np.clip(np.rint(ratio), -LARGEST, LARGEST)
    pairs = len(rounded) // 2 * 2
    even, odd = rounded[0:pairs:2], rounded[1:pairs:2]
    excess = np.maximum(np.abs(even + odd) - LARGEST_PAIR, 0)  # only where both have one sign
    lesser = np.floor(excess / 2)
    from_even = np.where(np.abs(even) >= np.abs(odd), excess - lesser, lesser)
    rounded[0:pairs:2] = even - np.sign(even) * from_even
    rounded[1:pairs:2] = odd - np.sign(odd) * (excess - from_even)
    return rounded


def _held(peak: np.ndarray) -> np.ndarray:
    """Peaks that can be divided by: a slice of zeros gets scale 1 / 127."""
    return np.where(peak > 0, peak, 1).astype(np.float32)

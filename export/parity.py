"""Hold an exported graph against Keras, and each variant against fp32, on real texts and on the odd cases."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ..serving.classification import TextClassifier, pad
from .errors import ExportError
from .signature import Signature, call

# Largest difference between Keras and the fp32 graph, in the units of the output. A recurrent net can be chaotic: on
# long random rows its own answer moves by more than this when every weight moves to the next float that there is. Then
# no export can be closer, and that movement, measured on the batch in question, is the bound.
TOLERANCE = 1e-4
# Real texts that are compared with Keras, which is slow; all of them count for the metric.
_TEXTS = 48
# Longest random row; a longer one would only take longer.
_LONGEST = 512


def check_parity(
    model: keras.Model, classifier: TextClassifier, signature: Signature, texts: Sequence[str]
) -> dict[str, Any]:
    """Compares the fp32 graph with Keras on the same arrays.

    Args:
        model: The Keras model.
        classifier: Its fp32 graph, as it is served.
        signature: How both are fed.
        texts: Real texts, possibly none.

    Returns:
        "max_abs_difference" of the outputs, the "tolerance" that they kept (more than `TOLERANCE` only where Keras's
        own rounding moves them more) and the number of "rows".

    Raises:
        ExportError: They differ by more than rounding.
    """
    batches = trial_batches(signature)
    real = classifier.tokenize(list(texts[:_TEXTS]))
    batches += [real[start : start + 16] for start in range(0, len(real), 16)]
    worst, tolerance = 0.0, TOLERANCE
    for rows in batches:
        arrays = pad(rows, classifier.preprocessing)
        expected = call(model, [arrays[role] for role in signature.inputs])
        actual = classifier.outputs(rows) if signature.applied == "none" else classifier.run(rows)
        difference = _difference(actual[:, -expected.shape[1] :], expected)
        if not difference <= TOLERANCE:
            noise = _rounding_noise(model, [arrays[role] for role in signature.inputs], expected)
            if not difference <= noise:
                raise ExportError(
                    f"The exported graph must give what Keras gives, within {max(TOLERANCE, noise):.3g}. Received: a "
                    f"largest difference of {difference:.3g}. Nothing was written; this is a defect of a lowering (or, "
                    "with left padding, a mask that only right padding fits): please report the model's layers."
                )
            tolerance = max(tolerance, noise)
        worst = max(worst, difference)
    return {"max_abs_difference": worst, "tolerance": tolerance, "rows": sum(map(len, batches))}


def _rounding_noise(model: keras.Model, arrays: Sequence[np.ndarray], expected: np.ndarray, draws: int = 8) -> float:
    """How far Keras's own outputs move, at most, when each weight moves to the next float, up or down by chance.

    A weight is only known to half of such a step, so answers that differ by less are equally right (Higham, Accuracy
    and Stability of Numerical Algorithms, on backward error). The weights are put back.

    Args:
        model: The Keras model.
        arrays: The inputs of the batch, in the order of the model's inputs.
        expected: Its outputs on them.
        draws: How often the weights are moved, each time from where they were.
    """
    weights, draw = model.get_weights(), np.random.default_rng(0)

    def moved(weight: np.ndarray) -> np.ndarray:
        if weight.dtype.kind != "f":
            return weight
        return np.nextafter(weight, draw.choice(np.array([-np.inf, np.inf], weight.dtype), weight.shape))

    noise = 0.0
    try:
        for _ in range(draws):
            model.set_weights([moved(weight) for weight in weights])
            noise = max(noise, _difference(call(model, arrays), expected))
    finally:
        model.set_weights(weights)
    return noise


def compare(reference: np.ndarray, scores: np.ndarray, *, multi_label: bool) -> dict[str, Any]:
    """Compares a variant with fp32.

    Args:
        reference: Probabilities of fp32, [rows, labels].
        scores: Probabilities of the variant on the same rows.
        multi_label: Whether a decision is each label at 0.5 instead of the likeliest one.

    Returns:
        "max_abs_difference" of the probabilities, the "agreement" (share of rows with the same decision), "rows".
    """
    if multi_label:
        same = ((reference >= 0.5) == (scores >= 0.5)).all(axis=1)
    else:
        same = reference.argmax(axis=1) == scores.argmax(axis=1)
    return {
        "max_abs_difference": _difference(scores, reference),
        "agreement": float(same.mean()),
        "rows": len(reference),
    }


def trial_batches(signature: Signature, seed: int = 0) -> list[list[np.ndarray]]:
    """Random rows in the shapes that break exports: one row and many, short and full, ragged, and one of padding alone.

    Args:
        signature: Its ids and lengths.
        seed: Seed of the draw.

    Returns:
        Batches of rows, int64 [tokens]; no row holds padding of its own.
    """
    draw = np.random.default_rng(seed)
    longest = min(signature.max_length, _LONGEST)
    ids = np.delete(np.arange(signature.vocab_size), signature.pad_token_id)

    def rows(*lengths: int) -> list[np.ndarray]:
        return [draw.choice(ids, length) for length in lengths]

    return [
        rows(1),
        rows(longest),
        rows(min(7, longest)),
        rows(longest, 1, *draw.integers(1, longest + 1, 6)),
        rows(min(5, longest), 0, 1),  # a row of padding alone
        rows(*[min(4, longest)] * 3),
    ]


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """Largest absolute difference; equal infinities and NaN on both sides count as none, on one side as infinite."""
    if a.shape != b.shape:
        return float("inf")
    with np.errstate(invalid="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a - b))
    return float(np.nan_to_num(gap, nan=np.inf).max(initial=0.0))

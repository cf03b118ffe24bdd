"""Probabilities from logits, where no logit is too large for the exponential."""

import numpy as np


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of the classes, which are the last axis; of the shape and type of `logits`."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """The logistic function, of the shape and type of `logits`."""
    return 0.5 + 0.5 * np.tanh(0.5 * logits)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How unexpected the labels are, in nats, 0 and more.

    Args:
        logits: Float [rows, classes].
        labels: The right class of each row, int [rows].

    Returns:
        float64 [rows].
    """
    highest = logits.max(axis=-1, keepdims=True)
    whole = np.log(np.exp(logits - highest, dtype=np.float64).sum(axis=-1)) + highest[:, 0]
    return whole - np.take_along_axis(logits, labels[:, None], axis=-1)[:, 0]

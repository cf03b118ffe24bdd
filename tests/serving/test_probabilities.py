"""Held to the formulas in exact-enough arithmetic, and to what must not overflow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kerasllm.serving.probabilities import cross_entropy, sigmoid, softmax

LOGITS = arrays(np.float32, (3, 4), elements=st.floats(-1e4, 1e4, width=32))


@given(LOGITS)
def test_softmax_and_cross_entropy_agree(logits):
    exact = logits.astype(np.longdouble)
    powers = np.exp(exact - exact.max(axis=-1, keepdims=True))
    expected = powers / powers.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(softmax(logits), expected.astype(np.float64), rtol=1e-5, atol=1e-30)
    labels = np.array([0, 3, 1])
    nats = exact.max(axis=-1) + np.log(powers.sum(axis=-1)) - exact[np.arange(3), labels]
    np.testing.assert_allclose(cross_entropy(logits, labels), nats.astype(np.float64), rtol=1e-6, atol=1e-6)


@given(LOGITS)
def test_sigmoid_is_softmax_beside_zero(logits):
    both = softmax(np.stack([logits, np.zeros_like(logits)], axis=-1))[..., 0]
    np.testing.assert_allclose(sigmoid(logits), both, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_stay(dtype):
    assert softmax(np.zeros(3, dtype)).dtype == sigmoid(np.zeros(3, dtype)).dtype == dtype


def test_no_rows():
    assert cross_entropy(np.zeros((0, 3), np.float32), np.zeros(0, np.int64)).shape == (0,)

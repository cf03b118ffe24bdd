import numpy as np
import pytest

from kerasllm.export.causal.blockwise import BLOCK, pack


def unpack(packed: np.ndarray, scales: np.ndarray, columns: int) -> np.ndarray:
    """The oracle: what MatMulNBits is documented to read."""
    values = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:2], BLOCK)
    restored = (values.astype(np.float32) - 8) * scales[..., None]
    return restored.reshape(len(restored), -1)[:, :columns]


@pytest.mark.parametrize("columns", [64, 43])
def test_rounding_loses_little(columns):
    rows = np.random.default_rng(0).normal(size=(6, columns)).astype(np.float32)
    rows[2] = 0
    restored = unpack(*pack(rows), columns)
    assert np.linalg.norm(restored - rows) < 0.105 * np.linalg.norm(rows)
    assert not restored[2].any()

import numpy as np
import pytest

from kerasllm.export.causal.blockwise import BLOCK, pack


def unpack(packed: np.ndarray, scales: np.ndarray, columns: int) -> np.ndarray:
    """The oracle: what MatMulNBits is documented to read."""
    bits = packed.shape[-1] * 8 // BLOCK
    if bits == 4:
        packed = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:2], BLOCK)
    values = (packed.astype(np.float32) - 2 ** (bits - 1)) * scales[..., None]
    return values.reshape(len(values), -1)[:, :columns]


@pytest.mark.parametrize(("bits", "error"), [(8, 0.004), (4, 0.07)])
@pytest.mark.parametrize("columns", [64, 43])
def test_rounding_loses_little(bits, error, columns):
    rows = np.random.default_rng(0).normal(size=(6, columns)).astype(np.float32)
    rows[2] = 0
    restored = unpack(*pack(rows, bits), columns)
    assert np.linalg.norm(restored - rows) < 1.5 * error * np.linalg.norm(rows)
    assert not restored[2].any()

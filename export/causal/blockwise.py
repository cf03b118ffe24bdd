"""Products in 4 bits: weights by blocks of a column, each with a scale of its own.

onnxruntime's `MatMulNBits` keeps weights packed in memory, so that a token reads as many bytes as the file has. Its
activations are float32 at the door; within, they are int8 by blocks (accuracy level 4), whose products are exact on
CPUs without VNNI too. It is made for one token: with many it is as slow as float32.
Measured on a CPU with AVX2 alone, one thread, 768 x 3072, in microseconds, for a block of 32, 64 and 128: of one token
99, 100, 94 (317, 292, 311 with float32 products); of 128 tokens, in thousands, 8.2, 7.4, 6.5. Blocks of 32 are taken
for accuracy's sake, which was not compared across sizes.
"""

import numpy as np
import onnx_ir as ir

from ..graph import CONTRIB
from ..quantization.products import take_bias
from ..quantization.weights import Weights

BLOCK = 32
_HALF = 8  # of the range of 4 bits
_INT8_PRODUCTS = 4
_FACTORS = np.linspace(0.8, 1.1, 13)


def block_product(node: ir.Node, factor: ir.Value, weights: Weights) -> ir.Node:
    """What stands for x [..., in] @ constant [in, out], and for the bias of an Add that follows."""
    depth, width = (int(size) for size in factor.shape)  # type: ignore[union-attr,arg-type]
    bias = take_bias(node, width)
    attributes = {"K": depth, "N": width, "bits": 4, "block_size": BLOCK, "accuracy_level": _INT8_PRODUCTS}
    inputs = [node.inputs[0], *weights.twins(factor, _blocks), *([None, None, bias] if bias is not None else [])]
    return ir.node("MatMulNBits", inputs, attributes, domain=CONTRIB)


def _blocks(factor: np.ndarray) -> dict[str, np.ndarray]:
    packed, scales = pack(factor.T)
    return {"int4": packed, "scales": scales}


def pack(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rounds rows by blocks to -8 ... 7, which are stored with 8 added.

    The scale of a block is the one of a few, around the largest value over the range, that leaves the least squared
    error: cutting the largest values a little gains more than it loses.

    Args:
        rows: float32 [rows, columns].

    Returns:
        uint8 [rows, blocks, 16], the first of two values in the low half of a byte, and the scale of each block,
        float32 [rows, blocks].
    """
    blocks = -(-rows.shape[1] // BLOCK)
    padded = np.zeros((rows.shape[0], blocks * BLOCK), np.float32)
    padded[:, : rows.shape[1]] = rows
    padded = padded.reshape(rows.shape[0], blocks, BLOCK)
    scales = _scales(padded)
    stored = (_round(padded, scales) + _HALF).astype(np.uint8)
    return stored[..., ::2] | stored[..., 1::2] << 4, scales


def _scales(blocks: np.ndarray) -> np.ndarray:
    """The best scale of each block [rows, blocks]: its sign lets the largest value be the lowest number, -8."""
    index = np.abs(blocks).argmax(axis=-1)[..., None]
    largest = np.take_along_axis(blocks, index, axis=-1)[..., 0]
    best, least = largest, np.full(largest.shape, np.inf, np.float32)
    for factor in _FACTORS:
        scales = (largest / (-_HALF * factor)).astype(np.float32)
        error = np.square(_round(blocks, scales) * scales[..., None] - blocks).sum(axis=-1)
        best, least = np.where(error < least, scales, best), np.minimum(error, least)
    return best.astype(np.float32)


def _round(blocks: np.ndarray, scales: np.ndarray) -> np.ndarray:
    safe = np.where(scales == 0, 1, scales)[..., None]
    return np.clip(np.rint(blocks / safe), -_HALF, _HALF - 1)

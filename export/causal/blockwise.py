"""Weights in 8 or 4 bits by blocks of a row, each with a scale of its own.

onnxruntime's `MatMulNBits` keeps weights packed in memory, so that a token reads as many bytes as the file has. Its
activations are float32 at the door; within, they are int8 by blocks (accuracy level 4), whose products are exact on
CPUs without VNNI too.
Measured on a CPU with AVX2 alone, one thread, 768 x 3072, in microseconds, for a block of 32, 64 and 128: of one row,
in 4 bits 99, 100, 94 (317, 292, 311 with float32 products) and in 8 bits 115, 114, 107 (9,618, 6,430, 7,799); of 128
rows, in thousands, 8.2, 7.4, 6.5 and 11.5, 11.1, 10.3. Blocks of 32 are taken for accuracy's sake, which was not
compared across sizes.
"""

from typing import Literal

import numpy as np
import onnx_ir as ir

from ..graph import CONTRIB
from ..quantization.products import take_bias
from ..quantization.weights import Weights

Bits = Literal[4, 8]
BLOCK = 32
_INT8_PRODUCTS = 4


def int8_rows(table: np.ndarray) -> dict[str, np.ndarray]:
    """A table [rows, columns] in 8 bits, which may be looked up and multiplied by; named for `Weights.twins`."""
    packed, scales = pack(table, 8)
    return {"int8": packed, "scales": scales}


def int8_factor(factor: np.ndarray) -> dict[str, np.ndarray]:
    """The constant factor [in, out] of a product in 8 bits."""
    return int8_rows(factor.T)


def int4_factor(factor: np.ndarray) -> dict[str, np.ndarray]:
    """The same in 4 bits."""
    packed, scales = pack(factor.T, 4)
    return {"int4": packed, "scales": scales}


def pack(rows: np.ndarray, bits: Bits) -> tuple[np.ndarray, np.ndarray]:
    """Rounds rows by blocks to signed whole numbers, which are stored with half their range added.

    The scale of a block is the one of a few, around the largest value over the range, that leaves the least squared
    error: 4 bits gain by cutting the largest values a little.

    Args:
        rows: float32 [rows, columns].
        bits: 8 or 4.

    Returns:
        uint8 [rows, blocks, 32 * bits / 8], the first of two values of 4 bits in the low half of a byte, and the scale
        of each block, float32 [rows, blocks].
    """
    blocks = -(-rows.shape[1] // BLOCK)
    padded = np.zeros((rows.shape[0], blocks * BLOCK), np.float32)
    padded[:, : rows.shape[1]] = rows
    padded = padded.reshape(rows.shape[0], blocks, BLOCK)
    half = 2 ** (bits - 1)
    scales = _scales(padded, half, np.linspace(0.8, 1.1, 13) if bits == 4 else np.ones(1))
    whole = _round(padded, scales, half) + half
    stored = whole.astype(np.uint8)
    if bits == 4:
        stored = stored[..., ::2] | stored[..., 1::2] << 4
    return stored, scales


def _scales(blocks: np.ndarray, half: int, factors: np.ndarray) -> np.ndarray:
    """The best scale of each block [rows, blocks]: its sign lets the largest value be the lowest number, -half."""
    index = np.abs(blocks).argmax(axis=-1)[..., None]
    largest = np.take_along_axis(blocks, index, axis=-1)[..., 0]
    best = error = np.zeros(0)
    for factor in factors:
        scales = (largest / (-half * factor)).astype(np.float32)
        found = np.square(_round(blocks, scales, half) * scales[..., None] - blocks).sum(axis=-1)
        if not best.size:
            best, error = scales, found
        best, error = np.where(found < error, scales, best), np.minimum(found, error)
    return best.astype(np.float32)


def _round(blocks: np.ndarray, scales: np.ndarray, half: int) -> np.ndarray:
    safe = np.where(scales == 0, 1, scales)[..., None]
    return np.clip(np.rint(blocks / safe), -half, half - 1)


def block_product(node: ir.Node, parts: tuple[ir.Value, ...], depth: int) -> list[ir.Node]:
    """x [..., depth] @ packed rows [width, depth] transposed, and the bias of an Add that follows."""
    packed, scales = parts
    width, _, block_bytes = (int(size) for size in packed.shape)  # type: ignore[union-attr,arg-type]
    bias = take_bias(node, width)
    attributes = {
        "K": depth,
        "N": width,
        "bits": 8 * block_bytes // BLOCK,
        "block_size": BLOCK,
        "accuracy_level": _INT8_PRODUCTS,
    }
    inputs = [node.inputs[0], packed, scales, *([None, None, bias] if bias is not None else [])]
    return [ir.node("MatMulNBits", inputs, attributes, domain=CONTRIB)]


def block_lookup(node: ir.Node, parts: tuple[ir.Value, ...], depth: int, weights: Weights) -> list[ir.Node]:
    """Rows of 8 bits made float as they are looked up, by standard operators: the table is the head's, as it is."""
    constant = weights.constant
    packed, scales = (ir.node("Gather", [part, node.inputs[1]]) for part in parts)
    whole = ir.node("Cast", packed.outputs, {"to": ir.DataType.FLOAT})
    signed = ir.node("Sub", [whole.outputs[0], constant(np.array(128, np.float32))])
    wide = ir.node("Unsqueeze", [scales.outputs[0], constant(np.array([-1]))])
    scaled = ir.node("Mul", [signed.outputs[0], wide.outputs[0]])
    flat = ir.node("Reshape", [scaled.outputs[0], constant(np.array([0, 0, -1]))])
    nodes = [packed, scales, whole, signed, wide, scaled, flat]
    if depth % BLOCK == 0:
        return nodes
    bounds = [constant(np.array([number])) for number in (0, depth, 2)]
    return [*nodes, ir.node("Slice", [flat.outputs[0], *bounds])]

"""Weights in 8 or 4 bits by blocks of a row, each with a scale of its own.

onnxruntime's `MatMulNBits` keeps weights packed in memory, so that a token reads as many bytes as the file has. Its
activations are float32 at the door; within, they are int8 by blocks (accuracy level 4), whose products are exact on
CPUs without VNNI too.
Measured on a CPU with AVX2 alone, one thread, 768 x 3072, in microseconds, for a block of 32, 64 and 128: of one row,
in 4 bits 99, 100, 94 (317, 292, 311 with float32 products) and in 8 bits 115, 114, 107 (9,618, 6,430, 7,799); of 128
rows, in thousands, 8.2, 7.4, 6.5 and 11.5, 11.1, 10.3. Blocks of 32 are taken for
accuracy's sake, which was not compared across sizes. The next pair was taken beside other work:
`DynamicQuantizeMatMul` takes 64 for one row, where 8 bits by blocks take 112, but all rows share the range of one run.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from ..graph import CONTRIB
from ..quantization.coverage import Coverage, Tally, initializer_bytes
from ..quantization.products import take_bias
from ..quantization.weights import Weights

Bits = Literal[4, 8]
BLOCK = 32
_INT8_PRODUCTS = 4


def quantize_blocks(model: ir.Model, bits_of: Callable[[str], Bits]) -> tuple[ir.Model, dict[str, object]]:
    """Stores the weights of products, and embeddings, by blocks.

    Args:
        model: A float32 decoder. It is left as it is.
        bits_of: How many bits the weight of a name gets; embeddings always have 8, and the head that is one as well.

    Returns:
        The smaller model, and what became of each operator, as a record of the manifest.
    """
    before = initializer_bytes(model.graph)
    model = model.clone()
    weights = Weights(model.graph)
    tallies: dict[str, Tally] = {}
    stored: dict[int, tuple[ir.Value, ir.Value]] = {}
    for node in list(model.graph):
        if node.op_type not in ("MatMul", "Gather") or node.domain:
            continue
        value, turned = weights.source(node.inputs[1 if node.op_type == "MatMul" else 0])
        array = weights.array(value)
        if value is None or array is None or "position" in str(value.name):
            continue
        rows = node.op_type == "Gather" or turned
        if id(value) not in stored:
            bits = 8 if rows else bits_of(str(value.name))
            packed = pack(array if rows else array.T, bits)
            names = (f"{value.name}_int{bits}", f"{value.name}_scales")
            stored[id(value)] = tuple(weights.add(name, part) for name, part in zip(names, packed, strict=True))  # type: ignore[assignment]
        width, depth = array.shape if rows else array.shape[::-1]
        parts = stored[id(value)]
        new = _lookup(node, parts, depth) if node.op_type == "Gather" else _product(node, parts, width, depth)
        tallies.setdefault(node.op_type, Tally()).add("computed" if len(new) == 1 else "stored", [node], new)
        _replace(node, new)
    model.graph.opset_imports.setdefault(CONTRIB, 1)
    common.RemoveUnusedNodesPass()(model)
    kinds = {kind: tally.coverage() for kind, tally in sorted(tallies.items())}
    total = sum(kind.computed + kind.stored for kind in kinds.values())
    after = initializer_bytes(model.graph)
    return model, asdict(Coverage(quantized=total, total=total, bytes_before=before, bytes_after=after, kinds=kinds))


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


def _product(node: ir.Node, parts: tuple[ir.Value, ir.Value], width: int, depth: int) -> list[ir.Node]:
    """x [..., depth] @ packed rows [width, depth] transposed, and the bias of an Add that follows."""
    bias = take_bias(node, width)
    packed, scales = parts
    attributes = {
        "K": depth,
        "N": width,
        "bits": 8 * int(packed.shape[-1]) // BLOCK,  # type: ignore[index,arg-type]
        "block_size": BLOCK,
        "accuracy_level": _INT8_PRODUCTS,
    }
    inputs = [node.inputs[0], packed, scales, *([None, None, bias] if bias is not None else [])]
    return [ir.node("MatMulNBits", inputs, attributes, domain=CONTRIB)]


def _lookup(node: ir.Node, parts: tuple[ir.Value, ir.Value], depth: int) -> list[ir.Node]:
    """Rows of 8 bits made float as they are looked up, by standard operators: the table is the head's, as it is."""
    ids = node.inputs[1]
    packed, scales = (ir.node("Gather", [part, ids]) for part in parts)
    last = _constant(node, np.array([-1]))
    whole = ir.node("Cast", packed.outputs, {"to": ir.DataType.FLOAT})
    signed = ir.node("Sub", [whole.outputs[0], _constant(node, np.array(128, np.float32))])
    wide = ir.node("Unsqueeze", [scales.outputs[0], last])
    scaled = ir.node("Mul", [signed.outputs[0], wide.outputs[0]])
    flat = ir.node("Reshape", [scaled.outputs[0], _constant(node, np.array([0, 0, -1]))])
    nodes = [packed, scales, whole, signed, wide, scaled, flat]
    if depth % BLOCK == 0:
        return nodes
    bounds = [_constant(node, np.array([number])) for number in (0, depth, 2)]
    return [*nodes, ir.node("Slice", [flat.outputs[0], *bounds])]


def _constant(node: ir.Node, array: np.ndarray) -> ir.Value:
    graph = node.graph
    if graph is None:
        raise ValueError(f"Only a node of a graph can be replaced. Received: {node.name!r}.")
    name = f"blocks_{array.dtype}_{'_'.join(map(str, np.ravel(array).tolist()))}"
    if name not in graph.initializers:
        tensor = ir.tensor(array, name=name)
        shape, kind = ir.Shape(array.shape), ir.TensorType(tensor.dtype)
        graph.register_initializer(ir.Value(name=name, type=kind, shape=shape, const_value=tensor))
    return graph.initializers[name]


def _replace(node: ir.Node, new: list[ir.Node]) -> None:
    last = new[-1]
    for index, each in enumerate(new):
        each.name = node.name if each is last else f"{node.name}/{each.op_type}_{index}"
        for output in each.outputs if each is not last else ():
            output.name = each.name
    graph = node.graph
    if graph is None:
        raise ValueError(f"Only a node of a graph can be replaced. Received: {node.name!r}.")
    ir.convenience.replace_nodes_and_values(graph, node, [node], new, node.outputs, last.outputs)

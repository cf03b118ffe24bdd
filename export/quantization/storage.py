"""Weights that are stored in int8 and used in float32.

Embedding rows are made float as they are looked up: 16 us for 200 rows of 32, for 8 us in float and 22 us by
`GatherBlockQuantized`. Operators without an int8 kernel get Cast and Mul, which onnxruntime folds at load: the file is
small, speed and memory are those of fp32. (`DequantizeLinear` it does not fold: it would be repeated at every run.)
"""

import numpy as np
import onnx_ir as ir

from .products import tied_rows
from .rounding import round_slices
from .weights import Weights


def store_rows(node: ir.Node, weights: Weights) -> list[ir.Node] | None:
    """Gather on axis 0 of a constant table [rows, ...] -> int8 rows, times the scale of each row."""
    table, ids = node.inputs
    array = weights.array(table)
    if table is None or array is None or node.attributes.get_int("axis") or _is_used_whole(table):
        return None
    twin = tied_rows if any(use.node.op_type == "Transpose" for use in table.uses()) else _rows
    rows, scale = (ir.node("Gather", [part, ids]) for part in weights.twins(table, twin))
    cast = ir.node("Cast", rows.outputs, {"to": ir.DataType.FLOAT})
    return [rows, scale, cast, ir.node("Mul", [cast.outputs[0], scale.outputs[0]])]


def store_recurrent(node: ir.Node, weights: Weights) -> list[ir.Node] | None:
    """GRU and RNN: W and R [directions, gates * units, ...], a scale per row."""
    return _stored(node, weights, inputs=(1, 2))


def store_convolution(node: ir.Node, weights: Weights) -> list[ir.Node] | None:
    """Conv: W [filters, in, ...], a scale per filter."""
    return _stored(node, weights, inputs=(1,))


def _stored(node: ir.Node, weights: Weights, inputs: tuple[int, ...]) -> list[ir.Node] | None:
    """The same node on weights that are made float at load."""
    if any(weights.array(node.inputs[index]) is None for index in inputs):
        return None
    values, restored = list(node.inputs), []
    for index in inputs:
        int8, scale = weights.twins(values[index], _channels if len(inputs) == 1 else _gates)  # type: ignore[arg-type]
        cast = ir.node("Cast", [int8], {"to": ir.DataType.FLOAT})
        restored += [cast, ir.node("Mul", [cast.outputs[0], scale])]
        values[index] = restored[-1].outputs[0]
    same = ir.node(node.op_type, values, dict(node.attributes), domain=node.domain, num_outputs=len(node.outputs))
    return [*restored, same]


def _rows(array: np.ndarray) -> dict[str, np.ndarray]:
    """[rows, ...]: a scale per row."""
    return _twin(array, tuple(range(1, array.ndim)))


_channels = _rows  # a filter of a convolution is a row


def _gates(array: np.ndarray) -> dict[str, np.ndarray]:
    """[directions, gates * units, in]: a scale per gate of a unit."""
    return _twin(array, (2,))


def _twin(array: np.ndarray, axes: tuple[int, ...]) -> dict[str, np.ndarray]:
    rounded, scale = round_slices(array, axes)
    return {"int8": rounded, "scale": scale}


def _is_used_whole(table: ir.Value) -> bool:
    """Whether the float table has to stay in the file for another use: then int8 rows would only add to it."""
    factors, known = (("MatMul", 1), ("Gemm", 1)), (("Gather", 0), ("MatMul", 1), ("Gemm", 1), ("Transpose", 0))
    turned = [use.node.outputs[0] for use in table.uses() if use.node.op_type == "Transpose"]
    used = [(use.node.op_type, use.idx) for use in table.uses()]
    used_turned = [(use.node.op_type, use.idx) for value in turned for use in value.uses()]
    return any(use not in known for use in used) or any(use not in factors for use in used_turned)

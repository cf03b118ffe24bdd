"""LSTM in int8: `DynamicQuantizeLSTM`, the one recurrent operator that onnxruntime has in int8.

Its input product is one matrix product; then each step quantizes h by its range and multiplies by R. A scale per
column of R costs a scaling of all 4 * units outputs at every step, 11 % of the time of 128 units: so R gets one scale
where that is fine enough.
"""

import numpy as np
import onnx_ir as ir

from ..graph import CONTRIB
from .rounding import relative_error, round_factor
from .weights import Weights

# Mean over the columns. A trained LSTM with 1.9 % lost nothing by one scale for R: quantizing h costs more.
_ONE_SCALE_ERROR = 0.025


def quantize_lstm(node: ir.Node, weights: Weights) -> list[ir.Node] | None:
    """W [directions, 4 * units, in] and R [directions, 4 * units, units] constant, layout 0 -> one DynamicQuantizeLSTM.

    Zero points are zeros; each weight has its own: onnxruntime turns int8 to uint8 in place where it is told to avoid
    saturation, and fails on a shared one.
    """
    x, w, r, *others = [*node.inputs, *[None] * 8][:8]
    if x is None or w is None or r is None or weights.array(w) is None or weights.array(r) is None:
        return None
    if node.attributes.get_int("layout"):
        return None
    tails, factors = [], []
    for value, twin in ((w, _input_factor), (r, _recurrent_factor)):
        int8, scale = weights.twins(value, twin)
        shape = tuple(scale.const_value.shape)  # type: ignore[union-attr]
        tails += [scale, weights.add(f"{value.name}_zero_point", np.zeros(shape, np.int8))]
        factors.append(int8)
    attributes = {key: item for key, item in node.attributes.items() if key != "layout"}
    inputs = [x, *factors, *others, *tails]
    return [ir.node("DynamicQuantizeLSTM", inputs, attributes, domain=CONTRIB, num_outputs=len(node.outputs))]


def _input_factor(array: np.ndarray) -> dict[str, np.ndarray]:
    """[directions, 4 * units, in] -> int8 [directions, in, 4 * units], scale [directions, 4 * units]."""
    rounded, scales = zip(*(round_factor(one.T) for one in array), strict=True)
    return {"int8": np.stack(rounded), "scale": np.stack(scales)}


def _recurrent_factor(array: np.ndarray) -> dict[str, np.ndarray]:
    """[directions, 4 * units, units] -> int8 [directions, units, 4 * units], scale [directions] or per column."""
    rounded, scales = zip(*(round_factor(one.T, per_column=False) for one in array), strict=True)
    if all(relative_error(one.T, *pair) <= _ONE_SCALE_ERROR for one, *pair in zip(array, rounded, scales, strict=True)):
        return {"int8": np.stack(rounded), "scale": np.concatenate(scales)}
    return _input_factor(array)

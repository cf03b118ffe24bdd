"""Residual connections: what onnxruntime would fuse into an operator that is slower than its parts.

1. `LayerNormalization(Add(x, y))`, where neither is a constant -> `LayerNormalization(Sum(x, y))`.

At load, onnxruntime makes `SkipLayerNormalization` of the first form, which takes six times as long on a CPU (0.65 ms,
for 0.11 ms, at 128 x 768 on one thread; `benchmarks/LOG.md`). It leaves `Sum` alone, which adds as fast as `Add`.
"""

import onnx_ir as ir


def sum_residuals(graph: ir.Graph) -> None:
    """Makes a Sum of each addition whose result is normalised."""
    for node in graph:
        if node.op_type != "LayerNormalization" or node.domain:
            continue
        add = node.inputs[0].producer() if node.inputs[0] is not None else None
        if add is not None and add.op_type == "Add" and not add.domain and not any(map(_is_constant, add.inputs)):
            add.op_type = "Sum"


def _is_constant(value: ir.Value | None) -> bool:
    return value is not None and value.const_value is not None

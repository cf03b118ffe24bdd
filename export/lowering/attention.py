"""Attention: what each query takes from the values, by how its key fits."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph import Graph, dimensions, keras_dtype
from .promotion import cast, promoted
from .registry import NotLoweredError, lowers

# What Keras scores a masked key: 0.7 of the lowest float32. Where all keys are masked, all count the same.
LOWEST = 3.38953e38 * -0.7


@lowers("DotProductAttention")
def dot_product_attention(
    graph: Graph,
    operation: Any,
    query: ir.Value,
    key: ir.Value,
    value: ir.Value,
    bias: ir.Value | None = None,
    mask: ir.Value | None = None,
    scale: float | None = None,
) -> ir.Value:
    """query [batch, T, heads, size], key and value [batch, S, heads, size] -> [batch, T, heads, size].

    mask and bias are broadcast to [batch, heads, T, S]; a masked key's score is `LOWEST`.
    """
    if operation.attn_logits_soft_cap is not None or isinstance(scale, ir.Value):
        raise NotLoweredError("a soft cap, or a computed scale")
    query, key, value = promoted(graph, query, key, value)
    dtype, width = keras_dtype(query), dimensions(value)[-1]
    lowest = graph.constant(LOWEST, dtype)
    groups = dimensions(query)[2] // dimensions(key)[2]  # type: ignore[operator]
    if groups > 1 and dimensions(key)[2] != 1:
        order = np.repeat(np.arange(dimensions(key)[2]), groups)  # type: ignore[arg-type]
        key, value = (graph.op("Gather", item, order, axis=2) for item in (key, value))
    scale = dimensions(query)[-1] ** -0.5 if scale is None else scale  # type: ignore[operator]
    scores = graph.op(
        "MatMul", graph.op("Transpose", query, perm=[0, 2, 1, 3]), graph.op("Transpose", key, perm=[0, 2, 3, 1])
    )
    scores = graph.op("Mul", scores, graph.constant(scale, dtype))
    scores = scores if bias is None else graph.op("Add", scores, cast(graph, bias, dtype))
    if mask is not None:
        scores = graph.op("Where", cast(graph, mask, "bool"), scores, lowest)
    if operation.is_causal:
        scores = graph.op("Where", _lower_triangle(graph, scores), scores, lowest)
    weights = graph.op("Softmax", scores, axis=-1)
    result = graph.op("MatMul", weights, graph.op("Transpose", value, perm=[0, 2, 1, 3]))
    result = graph.op("Transpose", result, perm=[0, 2, 1, 3])
    # Keras says that the result has the size of the query, where it has that of the value.
    return graph.describe(result, (*dimensions(query)[:-1], width), dtype)


def _lower_triangle(graph: Graph, scores: ir.Value) -> ir.Value:
    """scores [batch, heads, T, S] -> bool [T, S], query t sees keys 0 to t."""
    ones = graph.op("Expand", np.array(1, np.int32), graph.op("Shape", scores, start=2, end=4))
    return graph.op("Cast", graph.op("Trilu", ones, upper=0), to=ir.DataType.BOOL)

"""Multi-head attention as a layer: three products, one operator for all heads, one product.

onnxruntime's `MultiHeadAttention` transposes, scales, masks and normalises by itself: the 24 nodes of a layer become 9.
Its `Attention`, which takes the weights too, is a few per cent faster or slower, by size and type, and does
self-attention only. One product for queries, keys and values together costs a Split, which three do not:
benchmarks/LOG.md has the figures.
"""

from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from ..graph import CONTRIB, Graph, dimensions, keras_dtype
from .attention import LOWEST
from .promotion import cast
from .registry import lowers


def _is_plain(layer: Any, arguments: dict[str, Any]) -> bool:
    """Whether this is attention over sequences [batch, length, features], with no mask but a given one of rank 3.

    A mask of one row for the whole batch, or of one key for all, is left to the operators that broadcast it.
    """
    given = {name: item for name, item in arguments.items() if item is not None and item is not False}
    ranks = {name: len(item.shape) for name, item in given.items() if hasattr(item, "shape")}
    denses = (layer._query_dense, layer._key_dense, layer._value_dense, layer._output_dense)
    return (
        set(given) <= {"query", "value", "key", "attention_mask"}
        and set(ranks.values()) == {3}
        and not any(size == 1 for size in (given["attention_mask"].shape[::2] if "attention_mask" in given else ()))
        and not layer._use_gate
        and layer._sliding_window is None
        and len(layer._output_dense.kernel.shape) == 3
        and not any(dense.quantization_mode for dense in denses)
        and layer.compute_dtype != "float64"
    )


@lowers(keras.layers.MultiHeadAttention, "keras_hub>CachedMultiHeadAttention", when=_is_plain)
def multi_head_attention(
    graph: Graph,
    layer: Any,
    query: ir.Value,
    value: ir.Value,
    key: ir.Value | None = None,
    attention_mask: ir.Value | None = None,
    **_: Any,
) -> ir.Value:
    """query [batch, T, in], key and value [batch, S, in] -> [batch, T, out].

    attention_mask is [batch, 1, S], which hides keys from all queries, or [batch, T, S].
    """
    key = value if key is None else key
    denses = (layer._query_dense, layer._key_dense, layer._value_dense)
    q, k, v = (_dense(graph, dense, x) for dense, x in zip(denses, (query, key, value), strict=True))
    keep = None if attention_mask is None else _keep(graph, attention_mask)
    attend = _in_standard_operators if graph.portable else _in_one_operator
    context = attend(graph, layer, q, k, v, keep)
    graph.describe(context, (*dimensions(q)[:2], dimensions(v)[2]), keras_dtype(q))
    if keep is not None and layer._dropout > 0:
        seen = graph.op("Mul", context, _sees_any(graph, keep))
        context = graph.describe(seen, dimensions(context), keras_dtype(q))
    return _dense(graph, layer._output_dense, context, ends=True)


def _keep(graph: Graph, mask: ir.Value) -> ir.Value:
    """A mask as bool [batch, S] where it is one of keys, else bool [batch, T, S]."""
    batch, queries, keys = dimensions(mask)
    if queries == 1:
        mask = graph.describe(graph.op("Squeeze", mask, np.array([1])), (batch, keys), keras_dtype(mask))
    return cast(graph, mask, "bool")


def _in_one_operator(
    graph: Graph, layer: Any, q: ir.Value, k: ir.Value, v: ir.Value, keep: ir.Value | None
) -> ir.Value:
    """q [batch, T, heads * size], k and v [batch, S, heads * size] -> [batch, T, heads * size].

    What is masked gets `LOWEST` added to its score, which no score can lift: so where all keys are masked, all count
    the same, as in Keras.
    """
    keys = bias = None
    if keep is not None and len(dimensions(keep)) == 2:
        keys = graph.op("Cast", keep, to=ir.DataType.INT32)
    elif keep is not None:
        bias = graph.op("Unsqueeze", _penalty(graph, keep), np.array([1]))
    settings = {"num_heads": layer._num_heads, "scale": float(layer._inverse_sqrt_key_dim)}
    if keys is not None:
        settings["mask_filter_value"] = LOWEST
    return graph.op("MultiHeadAttention", q, k, v, None, keys, bias, domain=CONTRIB, **settings)


def _in_standard_operators(
    graph: Graph, layer: Any, q: ir.Value, k: ir.Value, v: ir.Value, keep: ir.Value | None
) -> ir.Value:
    """The same, in operators that every runtime has."""
    heads, factor = layer._num_heads, np.float32(layer._inverse_sqrt_key_dim)

    def split(x: ir.Value, order: list[int]) -> ir.Value:
        return graph.op("Transpose", graph.op("Reshape", x, np.array([0, 0, heads, -1])), perm=order)

    scores = graph.op("MatMul", split(graph.op("Mul", q, factor), [0, 2, 1, 3]), split(k, [0, 2, 3, 1]))
    if keep is not None:
        axes = np.array([1, 2] if len(dimensions(keep)) == 2 else [1])
        scores = graph.op("Add", scores, graph.op("Unsqueeze", _penalty(graph, keep), axes))
    context = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), split(v, [0, 2, 1, 3]))
    return graph.op("Reshape", graph.op("Transpose", context, perm=[0, 2, 1, 3]), np.array([0, 0, -1]))


def _penalty(graph: Graph, keep: ir.Value) -> ir.Value:
    """What is added to a score: 0 for a key that counts, `LOWEST` for one that is masked."""
    return graph.op("Where", keep, np.float32(0), np.float32(LOWEST))


def _sees_any(graph: Graph, keep: ir.Value) -> ir.Value:
    """float32 [batch, 1 or T, 1]: 0 for a query with all keys masked, whose context is 0 in layers with dropout."""
    numbers = graph.op("Cast", keep, to=ir.DataType.FLOAT)
    seen = graph.op("ReduceMax", numbers, np.array([-1]), keepdims=1)
    return graph.op("Unsqueeze", seen, np.array([1])) if len(dimensions(keep)) == 2 else seen


def _dense(graph: Graph, dense: Any, x: ir.Value, *, ends: bool = False) -> ir.Value:
    """x [batch, length, in] times the layer's kernel, as one matrix [in, out], plus its bias [out].

    The kernel is [in, heads, size] for queries, keys and values, and [heads, size, out] where the heads end.
    """
    array = np.asarray(dense.kernel)
    array = array.reshape(-1, array.shape[-1]) if ends else array.reshape(len(array), -1)
    shape = (*dimensions(x)[:2], array.shape[1])
    y = graph.op("MatMul", x, graph.weight(f"{dense.name}/kernel", array, dense._kernel, "matrix"))
    if dense.bias is not None:
        bias = np.asarray(dense.bias).reshape(-1)
        y = graph.op("Add", y, graph.weight(f"{dense.name}/bias", bias, dense.bias, "row"))
    return graph.describe(y, shape, keras_dtype(x))

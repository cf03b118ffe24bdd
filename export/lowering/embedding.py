"""Embedding: rows of a table, looked up by id."""

from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from ..graph import Graph, keras_dtype
from .promotion import cast
from .registry import lowers


@lowers(keras.layers.Embedding)
def embedding(graph: Graph, layer: Any, ids: ir.Value) -> ir.Value:
    """ids [...] -> [..., output_dim]; what masks the ids that are 0 is an operation of its own."""
    if keras_dtype(ids) not in ("int32", "int64"):
        ids = cast(graph, ids, "int32")
    return graph.op("Gather", _table(graph, layer), ids, axis=0)


def _table(graph: Graph, layer: Any) -> ir.Value:
    """[input_dim, output_dim]: the weight itself, or what the layer makes of a quantized or LoRA-adapted one."""
    if layer.quantization_mode is None and not layer.lora_enabled:
        return graph.variable(layer._embeddings)
    rows = layer(np.arange(layer.input_dim, dtype="int32"))  # by `__call__`, which knows of quantization
    return graph.weight("embeddings", keras.ops.convert_to_numpy(rows), layer._embeddings)

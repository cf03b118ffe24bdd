"""TimeDistributed: one layer at every step, which is the layer on a batch of all steps."""

import inspect
from typing import Any

import keras
import onnx_ir as ir

from ..graph import Graph, dimensions, keras_dtype
from .registry import lowers


@lowers(keras.layers.TimeDistributed)
def time_distributed(graph: Graph, layer: Any, x: ir.Value, mask: ir.Value | None = None) -> ir.Value:
    """x [batch, time, ...], mask [batch, time, ...] -> [batch, time, ...]: all steps as one batch, and back."""
    from ..compiler import Walk  # the walk imports the lowerings
    from ..expansion import expand

    values = {"inputs": x}
    if mask is not None and "mask" in inspect.signature(layer.layer.call).parameters:
        values["mask"] = mask
    steps = {
        name: keras.Input(batch_shape=(None, *dimensions(value)[2:]), dtype=keras_dtype(value))
        for name, value in values.items()
    }
    y = layer.layer(steps["inputs"], **{name: step for name, step in steps.items() if name == "mask"})
    scope, expanded = graph.scope, expand(keras.Function(list(steps.values()), y))
    expanded.scopes.update({key: f"{scope}/{inner}" for key, inner in expanded.scopes.items()})
    (out,) = Walk(graph, expanded).run([_one_batch(graph, value) for value in values.values()])
    graph.scope = scope
    shape = graph.op("Concat", graph.op("Shape", x, start=0, end=2), graph.op("Shape", out, start=1), axis=0)
    return graph.op("Reshape", out, shape)


def _one_batch(graph: Graph, x: ir.Value) -> ir.Value:
    """x [batch, time, ...] -> [batch * time, ...]."""
    rest = dimensions(x)[2:]
    shape = graph.op("Concat", [-1], graph.op("Shape", x, start=2), axis=0) if None in rest else [-1, *rest]
    return graph.describe(graph.op("Reshape", x, shape), (None, *rest), keras_dtype(x))

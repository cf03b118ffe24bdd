"""One element type for operands that Keras lets differ: ONNX wants them equal."""

from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from ..graph import Graph, dimensions, keras_dtype, onnx_dtype


def cast(graph: Graph, x: ir.Value, dtype: str) -> ir.Value:
    """x [...] as `dtype` (a Keras name), itself where it is that already."""
    if x.dtype == onnx_dtype(dtype):
        return x
    return graph.describe(graph.op("Cast", x, to=onnx_dtype(dtype)), dimensions(x), dtype)


def result_dtype(*items: Any) -> str:
    """The element type that Keras gives the result: a Python number is weak and follows the tensors beside it."""
    dtype = keras.backend.result_type(*(keras_dtype(x) if isinstance(x, ir.Value) else type(x) for x in items))
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def as_dtype(graph: Graph, item: Any, dtype: str) -> ir.Value:
    """A value, or a Python number as a constant, of type `dtype`."""
    if isinstance(item, ir.Value):
        return cast(graph, item, dtype)
    return graph.constant(np.asarray(item), onnx_dtype(dtype).numpy().name)


def promoted(graph: Graph, *items: Any) -> list[ir.Value]:
    """Operands cast to their common type."""
    dtype = result_dtype(*items)
    return [as_dtype(graph, item, dtype) for item in items]


def floating(graph: Graph, x: ir.Value) -> ir.Value:
    """x as it is if it is real, else in float32, as Keras takes integers for functions of real numbers."""
    return x if keras_dtype(x).startswith("float") else cast(graph, x, "float32")

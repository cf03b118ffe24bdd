"""The ONNX graph in the making: nodes in order, weights once, types that follow Keras."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from .errors import ExportError

OPSET = 20  # Gelu is 20; transformers.js and onnxruntime since 1.17 read it
IR_VERSION = 10
CONTRIB = "com.microsoft"  # onnxruntime's own operators, version 1

# Reduced precision is a training matter: what Keras computes in half precision is exported in float32.
_DTYPES = {
    "float16": ir.DataType.FLOAT,
    "bfloat16": ir.DataType.FLOAT,
    "float32": ir.DataType.FLOAT,
    "float64": ir.DataType.DOUBLE,
    "bool": ir.DataType.BOOL,
    "int8": ir.DataType.INT8,
    "int16": ir.DataType.INT16,
    "int32": ir.DataType.INT32,
    "int64": ir.DataType.INT64,
    "uint8": ir.DataType.UINT8,
    "uint16": ir.DataType.UINT16,
    "uint32": ir.DataType.UINT32,
    "uint64": ir.DataType.UINT64,
    "string": ir.DataType.STRING,
}


def onnx_dtype(keras_dtype: str) -> ir.DataType:
    """The ONNX element type that stands for a Keras one.

    Raises:
        ExportError: There is none that runtimes compute with.
    """
    if keras_dtype not in _DTYPES:
        raise ExportError(
            f"Tensors must be real numbers, integers or booleans. Received: one of {keras_dtype}. "
            "Rewrite the part of the model that makes it."
        )
    return _DTYPES[keras_dtype]


def keras_dtype(value: ir.Value) -> str:
    """The Keras name of a value's element type."""
    if value.dtype is None:
        raise ValueError(f"The value {value.name!r} has no element type yet: call Graph.describe on it first.")
    return value.dtype.numpy().name if value.dtype != ir.DataType.STRING else "string"


def dimensions(value: ir.Value) -> tuple[int | None, ...]:
    """A described value's shape, None where a size is known at run time only."""
    if value.shape is None:
        raise ValueError(f"The value {value.name!r} has no shape yet: call Graph.describe on it first.")
    return tuple(size if isinstance(size, int) else None for size in value.shape)


def constant_of(value: ir.Value) -> np.ndarray:
    """What a value is, where that is known at export.

    Raises:
        ValueError: It is known at run time only.
    """
    if value.const_value is None:
        raise ValueError(f"The value {value.name!r} is known at run time only.")
    return value.const_value.numpy()


class Graph:
    """Collects the nodes of one ONNX graph.

    Attributes:
        inputs: The graph's input values, in order.
        initializers: The constants, by name.
        nodes: The nodes, in an order that can be executed.
        portable: Whether to do without onnxruntime's own operators.
    """

    def __init__(self, *, portable: bool = False) -> None:
        self.portable = portable
        self.inputs: list[ir.Value] = []
        self.initializers: dict[str, ir.Value] = {}
        self.nodes: list[ir.Node] = []
        self._names: dict[str, int] = {}
        self._weights: dict[tuple[object, ...], ir.Value] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}
        self.scope = ""  # the operation being lowered: its nodes are named after it

    def input(self, name: str, dtype: ir.DataType, shape: Sequence[int | str | None]) -> ir.Value:
        """Adds a graph input; a string names an axis whose size is known at run time only."""
        value = ir.Value(name=self._unique(name), type=ir.TensorType(dtype), shape=ir.Shape(shape))
        self.inputs.append(value)
        return value

    def op(
        self,
        op_type: str,
        *inputs: Any,
        domain: str = "",
        outputs: int = 1,
        **attributes: Any,
    ) -> Any:
        """Emits a node.

        Args:
            op_type: The operator's name.
            *inputs: Values, None for an absent optional input, or anything `np.asarray` takes (made a constant).
            domain: "" for standard ONNX, CONTRIB for onnxruntime's own.
            outputs: How many outputs.
            **attributes: The node's attributes, as Python values; None leaves one out.

        Returns:
            The output value, or a tuple of them where there are several.
        """
        values = [self.value(item) for item in inputs]
        given = {key: item for key, item in attributes.items() if item is not None}
        name = self._unique(f"{self.scope}/{op_type}" if self.scope else op_type)
        node = ir.node(op_type, values, given, domain=domain, num_outputs=outputs, name=name)
        for index, output in enumerate(node.outputs):
            output.name = name if outputs == 1 else f"{name}:{index}"
        self.nodes.append(node)
        return node.outputs[0] if outputs == 1 else tuple(node.outputs)

    def value(self, item: Any) -> ir.Value | None:
        """A value as it is, None as it is, anything else as a constant."""
        if item is None or isinstance(item, ir.Value):
            return item
        return self.constant(keras.ops.convert_to_numpy(item) if keras.ops.is_tensor(item) else np.asarray(item))

    def constant(self, array: Any, dtype: str | None = None) -> ir.Value:
        """A small unnamed constant, kept once however often it is asked for."""
        array = np.ascontiguousarray(np.asarray(array, dtype=dtype)).reshape(np.shape(array))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._initializer("constant", array)
        return self._constants[key]

    def weight(self, name: str, array: Any, *key: object) -> ir.Value:
        """A weight of the model as an initializer.

        Args:
            name: What it is called in the file.
            array: Its values; floats become float32.
            *key: What makes it the same weight when it is asked for again (a Keras variable, and how its layout was
                changed). With a key, a shared layer's weight is stored once.

        Returns:
            The initializer's value.
        """
        known = (name, *(item if isinstance(item, str) else id(item) for item in key))
        if key and known in self._weights:
            return self._weights[known]
        array = np.asarray(array)
        value = self._initializer(name, array.astype(np.float32) if _is_half_or_float(array) else array)
        if key:
            self._weights[known] = value
        return value

    def variable(self, variable: Any) -> ir.Value:
        """A Keras variable as it is, as an initializer: stored once, however many layers share it."""
        return self.weight(variable.name, variable, variable)

    def describe(self, value: ir.Value, shape: Sequence[int | None], dtype: str) -> ir.Value:
        """Writes Keras's static shape and dtype on a value, so that later lowerings can read them."""
        if value.shape is None:
            value.shape = ir.Shape(shape)
        if value.type is None:
            value.type = ir.TensorType(onnx_dtype(dtype))
        return value

    def _initializer(self, name: str, array: np.ndarray) -> ir.Value:
        name = self._unique(f"{self.scope}/{name}" if self.scope and name != "constant" else name)
        tensor = ir.tensor(array, name=name)
        value = ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor)
        self.initializers[name] = value
        return value

    def _unique(self, name: str) -> str:
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return name if count == 0 else f"{name}_{count}"


def _is_half_or_float(array: np.ndarray) -> bool:
    return array.dtype.name in ("float16", "bfloat16", "float32")

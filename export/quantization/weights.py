"""The int8 twins of a graph's float weights, each made once however many nodes share it."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from ..errors import ExportError

Twin = Callable[[np.ndarray], dict[str, np.ndarray]]


class Weights:
    """Reads the float weights of a graph and adds their int8 twins to it.

    Attributes:
        graph: The graph that holds the initializers.
        portable: Whether to do without onnxruntime's own operators.
    """

    def __init__(self, graph: ir.Graph, *, portable: bool = False) -> None:
        self.graph, self.portable = graph, portable
        self._twins: dict[tuple[int, Twin], tuple[ir.Value, ...]] = {}
        self._constants: dict[tuple[str, str], ir.Value] = {}
        self._names = {value.name for node in graph.all_nodes() for value in node.outputs} | set(graph.initializers)

    def array(self, value: ir.Value | None) -> np.ndarray | None:
        """A constant float32 weight of two axes at least; None for any other value.

        Raises:
            ExportError: The weight is not finite.
        """
        tensor = ir.convenience.get_const_tensor(value) if value is not None else None
        if tensor is None or tensor.dtype != ir.DataType.FLOAT or len(tensor.shape) < 2:
            return None
        array = tensor.numpy()
        if not np.isfinite(array).all():
            raise ExportError(
                f"Only finite weights can be stored in int8. Received: {value.name!r}, with NaN or infinity in it. "  # type: ignore[union-attr]
                "Train again, or export the fp32 variant only."
            )
        return array

    def source(self, value: ir.Value | None) -> tuple[ir.Value | None, bool]:
        """What holds a factor, and whether the factor is its transpose, as that of an embedding used both ways is."""
        node = value.producer() if value is not None else None
        if node is not None and node.op_type == "Transpose" and _swaps(node):
            return node.inputs[0], True
        return value, False

    def twins(self, value: ir.Value, twin: Twin) -> tuple[ir.Value, ...]:
        """The initializers that `twin` makes of a weight: {"int8": array} is named "{weight}_int8"."""
        key = (id(value), twin)
        if key not in self._twins:
            array = self.array(value)
            if array is None:
                raise ValueError(f"Only a constant float weight has int8 twins. Received: {value.name!r}.")
            self._twins[key] = tuple(self.add(f"{value.name}_{suffix}", part) for suffix, part in twin(array).items())
        return self._twins[key]

    def constant(self, array: np.ndarray) -> ir.Value:
        """The initializer of a few numbers, made once however often it is asked for."""
        key = str(array.dtype), str(array.tolist())
        if key not in self._constants:
            self._constants[key] = self.add(f"constant_{len(self._constants)}", array)
        return self._constants[key]

    def add(self, name: str, array: np.ndarray) -> ir.Value:
        """A new initializer, under this name or one like it."""
        unique, count = name, 0
        while unique in self._names:
            count += 1
            unique = f"{name}_{count}"
        self._names.add(unique)
        tensor = ir.tensor(np.asarray(array, order="C"), name=unique)
        value = ir.Value(name=unique, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor)
        self.graph.register_initializer(value)
        return value


def _swaps(transpose: ir.Node) -> bool:
    return list(transpose.attributes.get_ints("perm") or ()) == [1, 0]

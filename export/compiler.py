"""The walk: a Keras functional model in, an ONNX model out, one lowering an operation.

A Keras 3 functional model holds all that is needed: its operations in order, each call's arguments, and masks as
values of the graph like any other. Each operation is lowered by its class; a nested model is traced again with the
masks that reach it and walked in place; an operation without a lowering is expanded into the `keras.ops` that its
`call` is made of; what is left goes through tf2onnx for that operation alone.
"""

from collections.abc import Sequence
from typing import Any

import keras
import onnx_ir as ir

from .. import __version__
from .errors import ExportError
from .expansion import expand
from .fallback import convert
from .graph import CONTRIB, IR_VERSION, OPSET, Graph, dimensions, onnx_dtype
from .lowering import lowering_of

# The axes of a text model have names; others are numbered by their input.
_AXES = ("batch_size", "sequence_length")


def lower_model(model: keras.Model, *, output_names: Sequence[str] | None = None) -> ir.Model:
    """Lowers a Keras model to ONNX.

    Integer inputs are int64 in the file whatever Keras calls them, as every client of text models expects.

    Args:
        model: A built functional or sequential model.
        output_names: What the outputs are called; by default, the name of the layer that makes each.

    Returns:
        An ONNX model in float32, in memory: not yet optimised, not yet verified.

    Raises:
        ExportError: The model is not a functional graph, or holds an operation that cannot be lowered exactly.
    """
    function = functional_graph(model)
    graph = Graph()
    values = [_graph_input(graph, tensor) for tensor in function.inputs]
    outputs = Walk(graph).run(function, values)
    _name_outputs(graph, outputs, output_names or _default_output_names(function))
    body = ir.Graph(
        graph.inputs,
        outputs,
        nodes=graph.nodes,
        initializers=tuple(graph.initializers.values()),
        opset_imports={"": OPSET, CONTRIB: 1},
        name=model.name,
    )
    return ir.Model(body, ir_version=IR_VERSION, producer_name="kerasllm", producer_version=__version__)


def functional_graph(model: keras.Model) -> Any:
    """The functional graph of a model, a Sequential's included.

    Raises:
        ExportError: The model has no graph: it is subclassed, or was never built.
    """
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise ExportError(
                f"Only a built model has shapes to export. Received: the Sequential {model.name!r}, not built. "
                "Add a keras.Input as its first layer, or call it on data once."
            )
        model = model._functional
    if not hasattr(model, "_nodes_by_depth"):
        raise ExportError(
            f"Only functional and Sequential models can be exported. Received: {type(model).__name__} {model.name!r}, "
            "whose graph is Python code. Build it as keras.Model(inputs, outputs)."
        )
    return model


class Walk:
    """Lowers every operation of a functional graph, in order.

    Attributes:
        graph: The ONNX graph that grows.
        masks: The mask that Keras attaches to a value at run time without showing it in the graph, by the value's id.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.masks: dict[int, ir.Value] = {}

    def run(self, function: Any, values: Sequence[ir.Value]) -> list[ir.Value]:
        """Lowers `function` on `values`.

        Args:
            function: A `keras.Function` or functional model.
            values: One value for each of `function.inputs`.

        Returns:
            One value for each of `function.outputs`.
        """
        known = {id(tensor): value for tensor, value in zip(function.inputs, values, strict=True)}
        for depth in sorted(function._nodes_by_depth, reverse=True):
            for node in function._nodes_by_depth[depth]:
                if not node.is_input and not all(id(tensor) in known for tensor in node.outputs):
                    self._lower_node(node, known)
        return [known[id(tensor)] for tensor in function.outputs]

    def _lower_node(self, node: Any, known: dict[int, ir.Value]) -> None:
        """Lowers one call of one operation and remembers its outputs."""

        def value_of(item: Any) -> Any:
            if isinstance(item, keras.KerasTensor):
                return known[id(item)]
            return self.graph.variable(item) if isinstance(item, keras.Variable) else item

        args, kwargs = keras.tree.map_structure(value_of, (list(node.arguments.args), dict(node.arguments.kwargs)))
        kwargs.pop("training", None)
        outer, self.graph.scope = self.graph.scope, "/".join(filter(None, (self.graph.scope, node.operation.name)))
        outputs = keras.tree.flatten(self.lower(node.operation, tuple(args), kwargs))
        self.graph.scope = outer
        for tensor, value in zip(node.outputs, outputs, strict=True):
            known[id(tensor)] = self.graph.describe(value, tensor.shape, tensor.dtype)

    def lower(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Lowers a call by the first road that is open: its own lowering, a nested graph, its `keras.ops`, tf2onnx."""
        kwargs = self._with_masks(kwargs, args)
        lowering = lowering_of(operation)
        if lowering is not None:
            return lowering(self.graph, operation, *args, **kwargs)
        traced = expand(operation, args, kwargs)
        if traced is None:
            return convert(self.graph, operation, args, kwargs)
        function, values, masks = traced
        outputs = self.run(function, values)
        for value, mask in zip(outputs[: len(masks)], masks, strict=True):
            if mask is not None:
                self.masks[id(value)] = outputs[mask]
        return outputs[: len(masks)]

    def _with_masks(self, kwargs: dict[str, Any], args: tuple[Any, ...]) -> dict[str, Any]:
        """Fills in the mask that an input carries, where the call names none: so does Keras at run time."""
        if "mask" in kwargs and kwargs["mask"] is None and args and isinstance(args[0], ir.Value):
            return {**kwargs, "mask": self.masks.get(id(args[0]))}
        return kwargs


def _graph_input(graph: Graph, tensor: keras.KerasTensor) -> ir.Value:
    """A graph input for a Keras input: integers come in as int64 and go on as what Keras takes them for."""
    shape = [
        size if size is not None else _AXES[axis] if axis < len(_AXES) else f"{tensor.name}_axis_{axis}"
        for axis, size in enumerate(tensor.shape)
    ]
    is_integer = tensor.dtype.startswith(("int", "uint"))
    value = graph.input(tensor.name, ir.DataType.INT64 if is_integer else onnx_dtype(tensor.dtype), shape)
    if is_integer and tensor.dtype != "int64":
        cast = graph.op("Cast", value, to=onnx_dtype(tensor.dtype))
        return graph.describe(cast, dimensions(value), tensor.dtype)
    return value


def _default_output_names(function: Any) -> list[str]:
    return [tensor._keras_history.operation.name for tensor in function.outputs]


def _name_outputs(graph: Graph, outputs: list[ir.Value], names: Sequence[str]) -> None:
    """Gives the outputs their public names; an input, a constant or a value that is asked for twice goes through Identity."""
    taken = {value.name for value in graph.inputs} | set(graph.initializers)
    seen: set[int] = set()
    for index, (value, name) in enumerate(zip(outputs, names, strict=True)):
        if value.producer() is None or id(value) in seen:
            copy = graph.op("Identity", value)
            copy.shape, copy.type = value.shape, value.type
            outputs[index] = value = copy
        seen.add(id(value))
        value.name = graph._unique(name) if name in taken else name

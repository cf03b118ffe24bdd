"""The walk: a Keras functional model in, an ONNX model out, one lowering an operation.

A Keras 3 functional model holds all that is needed: its operations in order, each call's arguments, and masks as
values of the graph like any other. The graph is first expanded (nested models and composite layers are replaced by
what they are made of), then each operation is lowered by its class; one that has no lowering goes through tf2onnx.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from .. import __version__
from .errors import ExportError
from .expansion import Expanded, expand
from .fallback import convert
from .freeing import free_sizes
from .graph import CONTRIB, IR_VERSION, OPSET, Graph, dimensions, onnx_dtype
from .lowering import NotLoweredError, lowering_of

# Inputs of a text model that are as long as each other.
_TEXT = ("input_ids", "attention_mask", "token_type_ids", "position_ids")


def lower_model(
    model: keras.Model,
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    portable: bool = False,
) -> ir.Model:
    """Lowers a Keras model to ONNX.

    Integer inputs are int64 in the file whatever Keras calls them, as every client of text models expects.

    Args:
        model: A built functional or sequential model.
        input_names: What the inputs are called; by default, the model's own names.
        output_names: What the outputs are called; by default, the name of the layer that makes each.
        portable: Whether to use standard ONNX operators only, for runtimes other than onnxruntime.

    Returns:
        An ONNX model in float32, in memory: not yet optimised, not yet verified.

    Raises:
        ExportError: The model is not a functional graph, or holds an operation that cannot be lowered exactly.
    """
    function = functional_graph(free_sizes(model))
    graph = Graph(portable=portable)
    names = input_names or [tensor.name for tensor in function.inputs]
    values = [_graph_input(graph, tensor, name) for tensor, name in zip(function.inputs, names, strict=True)]
    outputs = Walk(graph, expand(function)).run(values)
    _name_outputs(graph, outputs, output_names or _default_output_names(function))
    body = ir.Graph(
        graph.inputs,
        outputs,
        nodes=graph.nodes,
        initializers=tuple(value for value in graph.initializers.values() if value.uses()),
        opset_imports={"": OPSET} if portable else {"": OPSET, CONTRIB: 1},
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
    """Lowers every operation of an expanded graph, in order.

    Attributes:
        graph: The ONNX graph that grows.
        expanded: What is walked.
    """

    def __init__(self, graph: Graph, expanded: Expanded) -> None:
        self.graph, self.expanded = graph, expanded

    def run(self, values: Sequence[ir.Value]) -> list[ir.Value]:
        """Lowers the graph on `values`, one for each of its inputs, and returns one value for each of its outputs."""
        graph = self.expanded.graph
        known = {id(tensor): value for tensor, value in zip(graph.inputs, values, strict=True)}
        for call in graph.calls:
            self._lower_call(call, known)
        return [known[id(tensor)] for tensor in graph.outputs]

    def _lower_call(self, call: Any, known: dict[int, ir.Value]) -> None:
        """Lowers one call of one operation and remembers its outputs."""
        operation = call.operation
        self.graph.scope = self.expanded.scopes.get(id(operation), operation.name)

        def value_of(item: Any) -> Any:
            if isinstance(item, keras.KerasTensor):
                return known[id(item)]
            if isinstance(item, keras.Variable):
                return self.graph.variable(item)
            return self.graph.constant(item) if keras.ops.is_tensor(item) or isinstance(item, np.ndarray) else item

        args, kwargs = keras.tree.map_structure(value_of, (tuple(call.arguments.args), dict(call.arguments.kwargs)))
        kwargs.pop("training", None)  # False everywhere: the expansion saw to it
        results = self._lower(operation, args, kwargs)
        for tensor, value in zip(call.outputs, keras.tree.flatten(results), strict=True):
            known[id(tensor)] = self.graph.describe(value, tensor.shape, tensor.dtype)
        self.graph.scope = ""

    def _lower(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Lowers one call by its own lowering, or through tf2onnx."""
        lower = lowering_of(operation, args, kwargs)
        if lower is not None:
            with suppress(NotLoweredError):
                return lower(self.graph, operation, *args, **kwargs)
        return convert(self.graph, operation, args, kwargs)


def _graph_input(graph: Graph, tensor: keras.KerasTensor, name: str) -> ir.Value:
    """A graph input for a Keras input: integers come in as int64 and go on as what Keras takes them for."""
    if tensor.dtype == "string" or tensor.sparse:
        raise ExportError(
            f"A model must start from tensors of numbers. Received: the input {tensor.name!r} of "
            f"{'sparse tensors' if tensor.sparse else 'strings'}. Export the model from token ids on, and the "
            "tokenizer beside it as tokenizer.json: serving applies it before the graph."
        )
    shape = [size if size is not None else _axis_name(tensor, axis) for axis, size in enumerate(tensor.shape)]
    is_integer = tensor.dtype.startswith(("int", "uint"))
    value = graph.input(name, ir.DataType.INT64 if is_integer else onnx_dtype(tensor.dtype), shape)
    if is_integer and tensor.dtype != "int64":
        cast = graph.op("Cast", value, to=onnx_dtype(tensor.dtype))
        return graph.describe(cast, dimensions(value), tensor.dtype)
    return value


def _axis_name(tensor: keras.KerasTensor, axis: int) -> str:
    """A name for a size known at run time; runtimes take sizes of one name to be equal."""
    if axis == 0:
        return "batch_size"
    if axis == 1:
        return "sequence_length" if tensor.name in _TEXT else f"{tensor.name}_length"
    return f"{tensor.name}_axis_{axis}"


def _default_output_names(function: Any) -> list[str]:
    return [tensor._keras_history.operation.name for tensor in function.outputs]


def _name_outputs(graph: Graph, outputs: list[ir.Value], names: Sequence[str]) -> None:
    """Gives the outputs their public names; what is no node's own output goes through Identity."""
    seen: set[int] = set()
    for index, (value, name) in enumerate(zip(outputs, names, strict=True)):
        if value.producer() is None or id(value) in seen:
            copy = graph.op("Identity", value)
            copy.shape, copy.type = value.shape, value.type
            outputs[index] = value = copy
        seen.add(id(value))
        value.name = graph._unique(name)

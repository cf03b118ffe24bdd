"""The last road: tf2onnx, for one operation alone, its piece inlined in our graph."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import keras
import onnx
import onnx_ir as ir

from .errors import ExportError
from .graph import OPSET, Graph, constant_of, dimensions, keras_dtype

# What tf2onnx writes at most; its piece is brought up to our opset.
_TF2ONNX_OPSET = 18
_RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


def convert(graph: Graph, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[ir.Value]:
    """Converts one operation through TensorFlow and inlines the piece.

    Args:
        graph: The graph that grows.
        operation: A layer or an operation.
        args: Its call arguments, with ONNX values where tensors stood.
        kwargs: Likewise.

    Returns:
        A value for each output.

    Raises:
        ExportError: The operation cannot be exported exactly.
    """
    if keras.backend.backend() != "tensorflow":
        raise _refusal(operation, f"and tf2onnx needs the TensorFlow backend, not {keras.backend.backend()}")
    values: list[ir.Value] = []
    for item in keras.tree.flatten((args, kwargs)):
        if isinstance(item, ir.Value) and item.const_value is None and item not in values:
            values.append(item)
    # A seed would be drawn once, now, and kept.
    with mock.patch.object(keras.random.SeedGenerator, "next", side_effect=RuntimeError) as draw:
        try:
            piece = _piece(operation, values, args, kwargs)
        except ExportError:
            raise
        except Exception as error:  # TensorFlow and tf2onnx raise many kinds
            why = "and it is random" if draw.called else f"and tf2onnx cannot convert it ({_reason(error)})"
            raise _refusal(operation, why) from error
    return _inline(graph, piece.graph, values)


def _refusal(operation: Any, why: str) -> ExportError:
    return ExportError(
        f"Every operation of a model must have an exact ONNX form. Received: {operation.name!r} of class "
        f"{type(operation).__name__}, which has none of its own, {why}. "
        "Write it with layers of Keras or keras.ops on tensors of known rank, or leave it out of the exported model."
    )


def _reason(error: Exception) -> str:
    """The first line of an error that is not about where it happened."""
    lines = (line.strip() for line in str(error).splitlines())
    told = (line for line in lines if line and not line.startswith(("in user code", "File ", "return ", "raise ")))
    return f"{type(error).__name__}: {next(told, '')[:200]}"


def _piece(operation: Any, values: list[ir.Value], args: tuple[Any, ...], kwargs: dict[str, Any]) -> ir.Model:
    """The operation alone as an ONNX model with one input a value."""
    import tensorflow as tf

    def compute(*tensors: Any) -> Any:
        def tensor_of(item: Any) -> Any:
            if not isinstance(item, ir.Value):
                return item
            if item.const_value is not None:
                return tf.constant(item.const_value.numpy())
            return tensors[values.index(item)]

        call_args, call_kwargs = keras.tree.map_structure(tensor_of, (args, kwargs))
        # Identity: an output that is an input or a constant has no node of its own.
        return [tf.identity(tensor) for tensor in keras.tree.flatten(operation(*call_args, **call_kwargs))]

    specs = [tf.TensorSpec(dimensions(value), keras_dtype(value), name=f"x{i}") for i, value in enumerate(values)]
    with _quiet():
        import tf2onnx

        proto, _ = tf2onnx.convert.from_function(tf.function(compute), specs, opset=_TF2ONNX_OPSET)
    _spell_out_erfc(proto.graph)
    _check(operation, ir.from_proto(proto))
    return ir.from_proto(onnx.version_converter.convert_version(proto, OPSET))


def _spell_out_erfc(piece: onnx.GraphProto) -> None:
    """Erfc, which tf2onnx leaves as it is, becomes 1 - Erf."""
    nodes = []
    for node in piece.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        one, erf = f"{node.name}:one", f"{node.name}:erf"
        nodes.append(onnx.helper.make_node("Constant", [], [one], value_float=1.0))
        nodes.append(onnx.helper.make_node("Erf", node.input, [erf]))
        nodes.append(onnx.helper.make_node("Sub", [one, erf], node.output, node.name))
    del piece.node[:]
    piece.node.extend(nodes)


@contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx reports what it cannot do as log lines; `_check` finds it in the graph."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # not ours to mend
            yield
    finally:
        logger.setLevel(level)


def _check(operation: Any, piece: ir.Model) -> None:
    """Refuses what tf2onnx left in TensorFlow's terms, what is random, and a recurrent layer that became a Loop."""
    layers = operation._flatten_layers() if isinstance(operation, keras.layers.Layer) else []
    recurrent = any(isinstance(layer, keras.layers.RNN) for layer in layers)
    for node in ir.traversal.RecursiveGraphIterator(piece.graph):
        if node.op_type in _RANDOM:
            raise _refusal(operation, "and it is random")
        if recurrent and node.op_type in ("Loop", "Scan"):
            raise _refusal(operation, "and tf2onnx makes a loop of it, many times slower than a recurrent operator")
        if node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type):
            raise _refusal(operation, f"and tf2onnx does not know its {node.op_type}")
    if piece.functions:
        raise _refusal(operation, "and tf2onnx makes functions of it")


def _inline(graph: Graph, piece: ir.Graph, values: list[ir.Value]) -> list[ir.Value]:
    """Moves the nodes of a piece into the graph, under names that are new there."""
    outputs = list(piece.outputs)
    piece.outputs.clear()
    for value in piece.inputs:
        # tf2onnx leaves inputs out that nothing reads, and names the others after their specs.
        _replace(value, values[int(str(value.name).split(":")[0].removeprefix("x"))], outputs)
    for name, value in list(piece.initializers.items()):
        piece.initializers.pop(name)
        _replace(value, graph.weight("constant", constant_of(value)), outputs)
    for node in list(ir.traversal.RecursiveGraphIterator(piece)):
        for value in node.outputs:
            value.name = graph._unique(f"{graph.scope}/{node.op_type}")
        node.name = node.outputs[0].name
    for node in list(piece):
        piece.remove(node)
        graph.nodes.append(node)
    for value in outputs:  # what tf2onnx knew of shapes has its own names of axes; Keras's go in their place
        value.shape = None
    return outputs


def _replace(old: ir.Value, new: ir.Value, outputs: list[ir.Value]) -> None:
    ir.convenience.replace_all_uses_with(old, new)
    outputs[:] = [new if value is old else value for value in outputs]

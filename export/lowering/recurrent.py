"""Recurrent layers: one ONNX operator a cell and direction, masked or not; never a loop."""

from collections.abc import Sequence
from typing import Any

import keras
import onnx_ir as ir

from ..errors import ExportError
from ..graph import Graph, dimensions, keras_dtype
from .cells import emit, states_of
from .packing import Fill, Steps, batch_major, time_major
from .promotion import cast
from .registry import lowers


@lowers(keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.RNN)
def recurrent(
    graph: Graph, layer: Any, x: ir.Value, initial_state: Any = None, mask: Any = None
) -> ir.Value | tuple[ir.Value, ...]:
    """x [batch, time, in], mask [batch, time] -> [batch, time, units] or the last, [batch, units]; the last states."""
    output, states = _run(graph, layer, x, keras.tree.flatten(initial_state), mask, flipped=layer.go_backwards)
    return (output, *states) if layer.return_state else output


@lowers(keras.layers.Bidirectional)
def bidirectional(
    graph: Graph, layer: Any, x: ir.Value, initial_state: Any = None, mask: Any = None
) -> ir.Value | tuple[ir.Value, ...]:
    """As the layer inside, forwards and backwards: the outputs merged, the states one after the other."""
    one, other = layer.forward_layer, layer.backward_layer
    given = keras.tree.flatten(initial_state)
    half = len(given) // 2
    y, states = _run(graph, one, x, given[:half], mask, flipped=one.go_backwards)
    z, more_states = _run(graph, other, x, given[half:], mask, flipped=not other.go_backwards)
    merged = _merged(graph, layer.merge_mode, y, z)
    return (*merged, *states, *more_states) if layer.return_state else merged


def _run(
    graph: Graph, layer: Any, x: ir.Value, initial_state: Sequence[Any], mask: Any, *, flipped: bool
) -> tuple[ir.Value, list[ir.Value]]:
    """Runs a layer's cells over a sequence.

    Args:
        graph: Where to.
        layer: An RNN layer.
        x: [batch, time, in].
        initial_state: Of all cells in a row, [batch, units] each; empty for zeros.
        mask: [batch, time], or None.
        flipped: Whether a sequence of outputs is given last step first.

    Returns:
        The outputs, [batch, time, units] or [batch, units], and the last states of all cells.
    """
    x, mask, given = _checked(graph, layer, x, initial_state, mask)
    steps = None if mask is None else Steps(graph, mask)
    y, states, last = time_major(graph, x, steps), list[ir.Value](), list[ir.Value]()
    for cell in _cells(layer):
        own = given[len(states) : len(states) + states_of(cell)]
        y, last = emit(graph, cell, y, steps, own, reverse=layer.go_backwards)
        states += last
    if layer.return_sequences:
        y = batch_major(graph, y, steps, _fill(layer))
        return _flip(graph, y) if flipped else y, states
    output = last[0]
    if steps is not None and given:
        output = steps.otherwise(output)  # a row without steps has an output of zeros, whatever its state
    if steps is not None and layer.zero_output_for_mask:
        final = graph.op("Slice", steps.mask, *(([0], [1]) if layer.go_backwards else ([-1], [2**31 - 1])), [1])
        output = graph.op("Where", final, output, graph.constant(0, "float32"))
    return output, states


def _checked(
    graph: Graph, layer: Any, x: ir.Value, initial_state: Sequence[Any], mask: Any
) -> tuple[ir.Value, ir.Value | None, list[ir.Value]]:
    """The arguments as values, if the layer can be exported at all."""
    reason = None
    if type(layer) not in (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.RNN):
        reason = f"a {type(layer).__name__}, which is none of LSTM, GRU, SimpleRNN and RNN"
    elif layer.stateful:
        reason = "stateful=True, while an ONNX graph keeps nothing between calls: pass `initial_state` as an input"
    elif len(dimensions(x)) != 3:
        reason = f"an input of shape {dimensions(x)}, which is not [batch, time, features]"
    elif isinstance(mask, ir.Value) and len(dimensions(mask)) != 2:
        reason = f"a mask of shape {dimensions(mask)}, which is not [batch, time]"
    elif keras_dtype(x) == "float64":
        reason = "float64, which onnxruntime's recurrent operators don't compute in: use float32"
    if reason is not None:
        raise ExportError(f"The recurrent layer {layer.name!r} has no exact ONNX form. Received: {reason}.")
    x = cast(graph, x, "float32")
    values = [graph.value(state) for state in initial_state if state is not None]
    return x, graph.value(mask), [value for value in values if value is not None]


def _cells(layer: Any) -> Sequence[Any]:
    """The cells that a layer runs at each step, one on the other."""
    return layer.cell.cells if type(layer.cell) is keras.layers.StackedRNNCells else [layer.cell]


def _fill(layer: Any) -> Fill:
    """Keras repeats at a masked step the output that came before it, in the order in which the layer reads."""
    if layer.zero_output_for_mask:
        return "zero"
    return "next" if layer.go_backwards else "previous"


def _flip(graph: Graph, y: ir.Value) -> ir.Value:
    """y [batch, time, units] with the last step first."""
    return graph.op("Slice", y, [-1], [-(2**31)], [1], [-1])


def _merged(graph: Graph, mode: str | None, y: ir.Value, z: ir.Value) -> tuple[ir.Value, ...]:
    match mode:
        case "concat":
            return (graph.op("Concat", y, z, axis=-1),)
        case "sum":
            return (graph.op("Add", y, z),)
        case "mul":
            return (graph.op("Mul", y, z),)
        case "ave":
            return (graph.op("Mul", graph.op("Add", y, z), graph.constant(0.5, "float32")),)
    return y, z

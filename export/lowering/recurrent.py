"""Recurrent layers: one ONNX operator a cell and direction, masked or not; never a loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import onnx_ir as ir

from ..errors import ExportError
from ..graph import Graph, dimensions, keras_dtype
from .cells import emit, states_of
from .packing import Steps, batch_major, time_major
from .promotion import cast
from .registry import lowers

_LAYERS = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.RNN)


@lowers(*_LAYERS)
def recurrent(
    graph: Graph, layer: Any, x: ir.Value, initial_state: Any = None, mask: Any = None
) -> ir.Value | tuple[ir.Value, ...]:
    """x [batch, time, in], mask [batch, time] -> [batch, time, units] or the last, [batch, units]; the last states."""
    run = _run(graph, layer, x, keras.tree.flatten(initial_state), mask)
    output = _turned(graph, _output(graph, run), layer)
    return (output, *run.states) if layer.return_state else output


@lowers(keras.layers.Bidirectional)
def bidirectional(
    graph: Graph, layer: Any, x: ir.Value, initial_state: Any = None, mask: Any = None
) -> ir.Value | tuple[ir.Value, ...]:
    """As the layer inside, forwards and backwards: the outputs merged, the states one after the other."""
    given = keras.tree.flatten(initial_state)
    half = len(given) // 2
    one = _run(graph, layer.forward_layer, x, given[:half], mask)
    other = _run(graph, layer.backward_layer, x, given[half:], mask)
    if layer.return_sequences and layer.merge_mode and _fills_zeros(one) and _fills_zeros(other):
        (packed,) = _merged(graph, layer.merge_mode, one.y, other.y)
        merged: tuple[ir.Value, ...] = (batch_major(graph, packed, one.steps, "zero"),)
    else:
        merged = _merged(graph, layer.merge_mode, _output(graph, one), _output(graph, other))
    merged = tuple(_turned(graph, y, layer.forward_layer) for y in merged)
    return (*merged, *one.states, *other.states) if layer.return_state else merged


@dataclass(frozen=True)
class _Run:
    """What came of running a layer's cells over a sequence.

    Attributes:
        layer: The layer.
        steps: The steps that the mask lets through; None for all.
        y: The last cell's outputs, float32 [time, batch, units], packed where there are `steps`.
        last: The last cell's output at the last step, float32 [batch, units].
        states: The last states of all cells, float32 [batch, units] each.
    """

    layer: Any
    steps: Steps | None
    y: ir.Value
    last: ir.Value
    states: list[ir.Value]


def _run(graph: Graph, layer: Any, x: ir.Value, initial_state: Sequence[Any], mask: Any) -> _Run:
    """Runs a layer's cells over x [batch, time, in], from the states of all cells in a row, [batch, units] each."""
    _check(layer, x, mask)
    given = [value for state in initial_state if (value := graph.value(state)) is not None]
    steps = None if mask is None else Steps(graph, mask)
    y, states, last = time_major(graph, cast(graph, x, "float32"), steps), list[ir.Value](), list[ir.Value]()
    for cell in layer.cell.cells if type(layer.cell) is keras.layers.StackedRNNCells else [layer.cell]:
        own = given[len(states) : len(states) + states_of(cell)]
        y, last = emit(graph, cell, y, steps, own, reverse=layer.go_backwards)
        states += last
    # A row where no step counts has an output of zeros, whatever its state.
    output = steps.otherwise(last[0]) if steps is not None and given else last[0]
    return _Run(layer, steps, y, output, states)


def _check(layer: Any, x: ir.Value, mask: Any) -> None:
    reason = None
    if type(layer) not in _LAYERS:
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


def _output(graph: Graph, run: _Run) -> ir.Value:
    """The layer's output in time order, [batch, time, units], or its last output, [batch, units].

    At a masked step Keras gives zeros, or repeats the output before it, in the order in which the layer reads.
    """
    layer, steps, zero = run.layer, run.steps, graph.constant(0, "float32")
    zeros, backwards = layer.zero_output_for_mask, layer.go_backwards
    if not layer.return_sequences:
        if steps is None or not zeros:
            return run.last
        final = graph.op("Slice", steps.mask, *(([0], [1]) if backwards else ([-1], [2**31 - 1])), [1])
        return graph.op("Where", final, run.last, zero)
    if not _forgets_to_turn(run):
        return batch_major(graph, run.y, steps, "zero" if zeros else "next" if backwards else "previous")
    here = graph.op("Unsqueeze", _flip(graph, steps.mask), [-1]) if steps else None
    return graph.op("Where", here, batch_major(graph, run.y, steps, "next"), zero)


def _fills_zeros(run: _Run) -> bool:
    """Whether an output is a step's own, or zeros where the step is masked."""
    return run.steps is None or (run.layer.zero_output_for_mask and not _forgets_to_turn(run))


def _forgets_to_turn(run: _Run) -> bool:
    """Whether Keras puts zeros where the mask has them before it is turned around: an unrolled layer that reads
    backwards does, and repeats earlier outputs where it has them after.
    """
    layer = run.layer
    return run.steps is not None and layer.unroll and layer.go_backwards and layer.zero_output_for_mask


def _turned(graph: Graph, y: ir.Value, layer: Any) -> ir.Value:
    """y in the order in which the layer reads."""
    return _flip(graph, y) if layer.return_sequences and layer.go_backwards else y


def _flip(graph: Graph, y: ir.Value) -> ir.Value:
    """y [batch, time, ...] with the last step first."""
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

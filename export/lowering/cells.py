"""A Keras recurrent cell as ONNX's operator: the order of its gates, the layout of its weights, its activations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from ..errors import ExportError
from ..graph import Graph
from .gates import Activation, gate_activation
from .packing import Steps


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A recurrent operator with its weights.

    Attributes:
        op_type: LSTM, GRU or RNN.
        kernel: float32 [1, gates * units, in].
        recurrent_kernel: float32 [1, gates * units, units].
        bias: float32 [1, 2 * gates * units], the input's and then the state's; None for none.
        activations: One for each function that the operator applies.
        attributes: The operator's other attributes.
    """

    op_type: str
    kernel: np.ndarray
    recurrent_kernel: np.ndarray
    bias: np.ndarray | None
    activations: Sequence[Activation]
    attributes: dict[str, Any] = field(default_factory=dict)


def operator_of(cell: Any) -> Operator:
    """The operator that computes what a cell does.

    Raises:
        ExportError: There is none: the cell is a class of its own, or uses an activation that ONNX's operators lack.
    """
    if type(cell) not in _OPERATORS:
        raise ExportError(
            f"A recurrent layer exports as one ONNX operator for the cells LSTMCell, GRUCell and SimpleRNNCell. "
            f"Received: the cell {cell.name!r} of class {type(cell).__name__}. Use one of these cells."
        )
    return _OPERATORS[type(cell)](cell)


def states_of(cell: Any) -> int:
    """How many states a cell carries from step to step: an LSTM's are output and memory."""
    return 2 if type(cell) is keras.layers.LSTMCell else 1


def _lstm(cell: Any) -> Operator:
    """Keras's gates are input, forget, candidate, output; ONNX's are input, output, forget, candidate."""
    gate, candidate = _activation(cell, "recurrent_activation"), _activation(cell, "activation")
    return Operator(
        op_type="LSTM",
        kernel=_gates(cell.kernel, (0, 3, 1, 2)),
        recurrent_kernel=_gates(cell.recurrent_kernel, (0, 3, 1, 2)),
        bias=_biases(_gates(cell.bias, (0, 3, 1, 2))) if cell.use_bias else None,
        activations=(gate, candidate, candidate),
    )


def _gru(cell: Any) -> Operator:
    """Both have the gates update, reset, candidate; Keras's bias is [2, gates * units] if it resets after."""
    bias = None
    if cell.use_bias:
        bias = np.reshape(cell.bias, (1, -1)) if cell.reset_after else _biases(np.asarray(cell.bias)[None])
    return Operator(
        op_type="GRU",
        kernel=_gates(cell.kernel, (0, 1, 2)),
        recurrent_kernel=_gates(cell.recurrent_kernel, (0, 1, 2)),
        bias=bias,
        activations=(_activation(cell, "recurrent_activation"), _activation(cell, "activation")),
        attributes={"linear_before_reset": int(cell.reset_after)},
    )


def _simple_rnn(cell: Any) -> Operator:
    return Operator(
        op_type="RNN",
        kernel=_gates(cell.kernel, (0,)),
        recurrent_kernel=_gates(cell.recurrent_kernel, (0,)),
        bias=_biases(np.asarray(cell.bias)[None]) if cell.use_bias else None,
        activations=(_activation(cell, "activation"),),
    )


_OPERATORS: dict[type, Callable[[Any], Operator]] = {
    keras.layers.LSTMCell: _lstm,
    keras.layers.GRUCell: _gru,
    keras.layers.SimpleRNNCell: _simple_rnn,
}


def _gates(weights: Any, order: Sequence[int]) -> np.ndarray:
    """[..., gates * units] -> [1, gates * units, ...], the gates in another order."""
    gates = np.split(np.asarray(weights, dtype=np.float32), len(order), axis=-1)
    return np.ascontiguousarray(np.concatenate([gates[index] for index in order], axis=-1).T[None])


def _biases(bias: np.ndarray) -> np.ndarray:
    """[1, gates * units] -> [1, 2 * gates * units]: ONNX adds a second bias, Keras does not."""
    return np.concatenate([bias, np.zeros_like(bias)], axis=-1)


def _activation(cell: Any, attribute: str) -> Activation:
    function = getattr(cell, attribute)
    found = gate_activation(function)
    if found is None:
        raise ExportError(
            f"ONNX's recurrent operators have these activations: tanh, sigmoid, relu, linear, hard_sigmoid, elu, "
            f"leaky_relu, softsign, softplus, and scaled or shifted forms of some. Received: `{attribute}` "
            f"{getattr(function, '__name__', function)!r} of the cell {cell.name!r}. Use one of these."
        )
    return found


def emit(
    graph: Graph, cell: Any, x: ir.Value, steps: Steps | None, initial_state: Sequence[ir.Value], *, reverse: bool
) -> tuple[ir.Value, list[ir.Value]]:
    """Emits the operator of a cell.

    Args:
        graph: Where to.
        cell: A Keras cell.
        x: float32 [time, batch, in], packed where there are `steps`.
        steps: The steps that count; None for all.
        initial_state: As many as the cell has, float32 [batch, units] each; empty for zeros.
        reverse: From the last step that counts to the first.

    Returns:
        The outputs [time, batch, units] in time order, of which those at steps that don't count are anything, and the
        last states, [batch, units] each; a row where no step counts keeps its initial state.
    """
    operator = operator_of(cell)

    def weight(name: str, array: np.ndarray | None) -> ir.Value | None:
        return None if array is None else graph.weight(f"{cell.name}/{name}", array, cell.kernel)

    y, *states = graph.op(
        operator.op_type,
        x,
        weight("kernel", operator.kernel),
        weight("recurrent_kernel", operator.recurrent_kernel),
        weight("bias", operator.bias),
        _lengths(graph, operator, steps),
        *(graph.op("Unsqueeze", state, [0]) for state in initial_state),
        outputs=1 + states_of(cell),
        hidden_size=cell.units,
        direction="reverse" if reverse else None,
        **_activation_attributes(operator),
        **operator.attributes,
    )
    states = [graph.op("Squeeze", state, [0]) for state in states]
    if steps is not None:
        states = [
            state if _is_zero_without_steps(operator, index, initial_state) else steps.otherwise(state, initial)
            for index, (state, initial) in enumerate(zip_longest(states, initial_state))
        ]
    return graph.op("Squeeze", y, [1]), states


def _lengths(graph: Graph, operator: Operator, steps: Steps | None) -> ir.Value | None:
    """`sequence_lens`, at least 1 for RNN: for 0, onnxruntime reads the last state from before its memory."""
    if steps is None:
        return None
    return graph.op("Max", steps.lengths, graph.constant([1], "int32")) if operator.op_type == "RNN" else steps.lengths


def _is_zero_without_steps(operator: Operator, index: int, initial_state: Sequence[ir.Value]) -> bool:
    """Whether the operator itself makes the last state zeros where no step counts, and zeros it should be.

    onnxruntime does so for the outputs of LSTM and GRU, and for an LSTM's memory only if another row has a step.
    """
    return operator.op_type != "RNN" and index == 0 and not initial_state


def _activation_attributes(operator: Operator) -> dict[str, Any]:
    """The attributes that name the activations; none where they are the operator's defaults."""
    names = [activation.name for activation in operator.activations]
    if names == {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}[operator.op_type]:
        return {}
    alphas = [activation.alpha for activation in operator.activations if activation.alpha is not None]
    betas = [activation.beta for activation in operator.activations if activation.beta is not None]
    return {"activations": names, "activation_alpha": alphas or None, "activation_beta": betas or None}

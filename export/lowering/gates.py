"""The activation functions inside a recurrent cell, as the ones that ONNX's recurrent operators have.

The function is traced and its operations are matched, so that whatever computes the same is recognised (a Keras 2 hard
sigmoid written with `keras.ops`, say) and nothing is taken for what it is not by its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np


@dataclass(frozen=True)
class Activation:
    """An activation of ONNX's recurrent operators: its name there, and the parameters that it has."""

    name: str
    alpha: float | None = None
    beta: float | None = None


@dataclass(frozen=True)
class _Seen:
    """What was recognised so far: outer * function(scale * x + shift)."""

    scale: float = 1.0
    shift: float = 0.0
    function: Activation | None = None
    outer: float = 1.0


def gate_activation(function: Callable[[Any], Any]) -> Activation | None:
    """Finds the ONNX activation that computes what `function` does.

    Args:
        function: A Keras activation: a function of `keras.ops`, or a layer.

    Returns:
        The activation, or None if there is none.
    """
    x = keras.KerasTensor((None, 2))
    try:
        y = function.call(x) if isinstance(function, keras.layers.Layer) else function(x)
    except Exception:  # not made of keras.ops
        return None
    nodes = _chain(x, y)
    seen = None if nodes is None else _Seen()
    for node in nodes or ():
        seen = seen and (_linear(seen, node) or _nonlinear(seen, node))
    return _activation(seen) if seen else None


def _chain(x: Any, y: Any) -> list[Any] | None:
    """The calls between x and y, each with one tensor, or None if there is more between them than a chain."""
    nodes: list[Any] = []
    while y is not x:
        history = getattr(y, "_keras_history", None)
        node = history and history.operation._inbound_nodes[history.node_index]
        if node is None or len(node.input_tensors) != 1:
            return None
        nodes.insert(0, node)
        y = node.input_tensors[0]
    return nodes


def _linear(seen: _Seen, node: Any) -> _Seen | None:
    """What is seen after a sum or product with a number; None if the node is not one, or comes too late."""
    operands = (*node.arguments.args, *node.arguments.kwargs.values())
    if len(operands) != 2 or not any(isinstance(item, (int, float, np.number)) for item in operands):
        return None
    number_first = isinstance(operands[1], keras.KerasTensor)
    number = float(operands[0] if number_first else operands[1])
    scale, shift = {
        "Multiply": (number, 0.0),
        "Divide": (0.0 if number_first else 1 / number, 0.0),
        "TrueDivide": (0.0 if number_first else 1 / number, 0.0),
        "Add": (1.0, number),
        "Subtract": (-1.0 if number_first else 1.0, number if number_first else -number),
    }.get(type(node.operation).__name__, (0.0, 0.0))
    if scale == 0:
        return None
    if seen.function is None:
        return _Seen(seen.scale * scale, seen.shift * scale + shift)
    return _Seen(seen.scale, seen.shift, seen.function, seen.outer * scale) if shift == 0 else None


def _nonlinear(seen: _Seen, node: Any) -> _Seen | None:
    """What is seen after an activation function proper; None if ONNX's recurrent operators have none like it."""
    function = _function(node.operation) if seen.function is None else None
    return _Seen(seen.scale, seen.shift, function) if function else None


def _function(operation: Any) -> Activation | None:
    match type(operation).__name__:
        case "Tanh" | "Sigmoid" | "Softsign" | "Softplus" as name:
            return Activation(name)
        case "Relu":
            return Activation("Relu")
        case "Elu":
            return Activation("Elu", float(operation.alpha))
        case "LeakyRelu":
            return Activation("LeakyRelu", float(operation.negative_slope))
        case "HardSigmoid":
            return Activation("HardSigmoid", 1 / 6, 0.5)
        case "Clip" if (operation.x_min, operation.x_max) == (0, 1):
            return Activation("HardSigmoid", 1.0, 0.0)
        case "ReLU":
            return _relu(operation.negative_slope, operation.max_value, operation.threshold)
    return None


def _relu(negative_slope: float, max_value: float | None, threshold: float) -> Activation | None:
    """Keras's ReLU of three parameters, of which ONNX has each alone."""
    match (negative_slope, max_value, threshold):
        case (0, None, 0):
            return Activation("Relu")
        case (slope, None, 0):
            return Activation("LeakyRelu", float(slope))
        case (0, None, least):
            return Activation("ThresholdedRelu", float(least))
        case (0, 1, 0):
            return Activation("HardSigmoid", 1.0, 0.0)
    return None


def _activation(seen: _Seen) -> Activation | None:
    """The activation that is `seen` as a whole."""
    function, plain = seen.function, (seen.scale, seen.shift) == (1, 0)
    if function is None:
        return Activation("Affine", seen.scale, seen.shift)
    if function.name == "Tanh" and seen.shift == 0 and (seen.scale, seen.outer) != (1, 1):
        return Activation("ScaledTanh", seen.outer, seen.scale)
    if seen.outer != 1:
        return None
    if function.name == "HardSigmoid" and function.alpha is not None and function.beta is not None:
        alpha, beta = function.alpha * seen.scale, function.alpha * seen.shift + function.beta
        return Activation("HardSigmoid", alpha, beta)
    return function if plain else None

"""Activation functions are recognised by what they compute, and by nothing else."""

import keras
import pytest
from keras import ops

from kerasllm.export.lowering.gates import Activation, gate_activation


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (keras.activations.tanh, Activation("Tanh")),
        (keras.activations.linear, Activation("Affine", 1.0, 0.0)),
        (keras.activations.hard_sigmoid, Activation("HardSigmoid", 1 / 6, 0.5)),
        (keras.activations.leaky_relu, Activation("LeakyRelu", 0.2)),
        (lambda x: ops.clip(0.2 * x + 0.5, 0, 1), Activation("HardSigmoid", 0.2, 0.5)),
        (lambda x: ops.clip((x + 2.5) / 5, 0.0, 1.0), Activation("HardSigmoid", 0.2, 0.5)),
        (lambda x: keras.activations.relu(x * 0.5 - 1, max_value=1), Activation("HardSigmoid", 0.5, -1.0)),
        (lambda x: 3 * ops.tanh(2 * x), Activation("ScaledTanh", 3.0, 2.0)),
        (lambda x: 1 - x, Activation("Affine", -1.0, 1.0)),
        (keras.layers.LeakyReLU(0.25), Activation("LeakyRelu", 0.25)),
        (keras.layers.ReLU(threshold=0.5), Activation("ThresholdedRelu", 0.5)),
        (keras.layers.Activation("softsign"), Activation("Softsign")),
    ],
)
def test_recognised(function, expected):
    assert gate_activation(function) == expected


def sigmoid(x):
    """Not what its name says."""
    return ops.sigmoid(x) * 2


@pytest.mark.parametrize(
    "function",
    [
        sigmoid,
        keras.activations.selu,
        keras.activations.relu6,
        keras.activations.softmax,
        keras.layers.PReLU(),
        keras.layers.ReLU(max_value=2),
        lambda x: ops.clip(0.2 * x + 0.5, 0, 2),
        lambda x: ops.clip(0.2 * x + 0.5, 0, 1) + 1,
        lambda x: ops.tanh(x + 1),
        lambda x: ops.tanh(ops.tanh(x)),
        lambda x: x + ops.tanh(x),
        lambda x: x * x,
        lambda x: 1 / x,
        lambda x: x * ops.convert_to_tensor(0.5),
        lambda x: 0 * x,
        lambda x: 1.0,
        lambda x: float(x),
    ],
)
def test_not_taken_for_something_else(function):
    assert gate_activation(function) is None

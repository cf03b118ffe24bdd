"""Tracing one layer: what it is made of, and when that cannot be seen."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from kerasllm.export.tracing import between, mask_of, trace


def names(traced):
    return [type(call.operation).__name__ for call in traced.calls]


def test_what_lies_between_tensors_in_an_order_that_runs():
    x = keras.Input((4,))
    y = ops.tanh(x)
    z = ops.exp(y) + y
    assert names(between([x], [z, y])) == ["Tanh", "Exp", "Add"]
    assert names(between([y], [z])) == ["Exp", "Add"]
    assert names(between([x], [x])) == []


def test_an_output_that_needs_another_input_is_an_error():
    x, y = keras.Input((4,)), keras.Input((4,))
    with pytest.raises(ValueError, match="does not follow"):
        between([x], [x + y])


def test_a_deep_graph_needs_no_deep_recursion():
    x = y = keras.Input((4,))
    for _ in range(3000):
        y = ops.negative(y)
    assert len(between([x], [y]).calls) == 3000


def test_a_layer_is_what_its_call_is_made_of():
    x = keras.Input((4,))
    dense = layers.Dense(3, activation="relu")
    dense.build((None, 4))
    traced, output = trace(dense, (x,), {})
    assert names(traced) == ["Matmul", "Add", "ReLU"]
    assert output.shape == (None, 3)


def test_the_mask_that_a_call_makes_is_an_output():
    x = keras.Input((3, 4))
    x._keras_mask = keras.Input((3,), dtype="bool")
    traced, output = trace(layers.Masking(), (x,), {})
    assert traced.outputs == [output, mask_of(output)]
    assert len(traced.inputs) == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.asarray(x),
        lambda x: x + keras.random.normal((4,)),
        lambda x: x if bool(ops.any(x > 0)) else -x,
        lambda x: ops.ones((2, 4)),
    ],
)
def test_a_call_that_cannot_be_seen_into(call):
    x = keras.Input((4,))
    assert trace(layers.Lambda(call), (x,), {}) is None


def test_a_variable_on_the_left_and_conversions():
    x = keras.Input((4,))
    layer = layers.Layer()
    scale = layer.add_weight(shape=(4,))
    traced, _ = trace(layers.Lambda(lambda y: (scale * ops.cast(y, "float32") - y) @ np.eye(4, dtype="f4")), (x,), {})
    assert names(traced) == ["Multiply", "Subtract", "Matmul"]
    assert any(argument is scale for argument in traced.calls[0].arguments.args)

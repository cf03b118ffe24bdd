"""Convolutions: every padding, stride, dilation and group that Keras takes."""

import keras
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from keras import layers

from kerasllm.export.compiler import lower_model

from ..parity import assert_parity, examples, numbers, operators, randomize

LENGTHS = st.sampled_from([None, 7])


@examples
@given(
    length=LENGTHS,
    window=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same", "causal"]),
    groups=st.sampled_from([1, 2]),
    bias=st.booleans(),
    activation=st.sampled_from([None, "relu", "gelu"]),
)
def test_conv1d(length, window, stride, dilation, padding, groups, bias, activation):
    assume(stride == 1 or dilation == 1)  # Keras's own rule
    assume((window - 1) * dilation < 7)
    x = keras.Input((length, 4))
    options = {"strides": stride, "dilation_rate": dilation, "padding": padding, "groups": groups, "use_bias": bias}
    model = keras.Model(x, layers.Conv1D(6, window, activation=activation, **options)(x))
    assert_parity(randomize(model), numbers(2, 7, 4))


@examples
@given(
    kind=st.sampled_from([layers.DepthwiseConv1D, layers.SeparableConv1D]),
    window=st.integers(1, 3),
    stride=st.integers(1, 2),
    multiplier=st.integers(1, 2),
    padding=st.sampled_from(["valid", "same"]),
)
def test_convolutions_by_channel(kind, window, stride, multiplier, padding):
    x = keras.Input((None, 4))
    filters = (5,) if kind is layers.SeparableConv1D else ()
    layer = kind(*filters, window, strides=stride, depth_multiplier=multiplier, padding=padding)
    assert_parity(randomize(keras.Model(x, layer(x))), numbers(2, 7, 4))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_conv2d_has_a_window_and_a_stride_for_each_axis(stride, padding):
    x = keras.Input((None, 5, 3))
    model = keras.Model(x, layers.Conv2D(4, (3, 2), strides=(stride, 1), padding=padding)(x))
    assert_parity(randomize(model), numbers(2, 6, 5, 3))


def test_channels_first_needs_no_transposition():
    x = keras.Input((4, 7))
    model = keras.Model(x, keras.ops.conv(x, numbers(3, 4, 6), padding="same", data_format="channels_first"))
    assert operators(lower_model(model)) == ["Conv"]  # no more: TensorFlow cannot run it on a CPU

"""Shapes: with sizes that are known, and with a batch and a sequence that are not."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops

from ..parity import assert_parity, examples, numbers, operators

LENGTHS = st.sampled_from([None, 6])


def check(layer, shape=(6, 4)):
    x = keras.Input(shape)
    sizes = [2, *(6 if size is None else size for size in shape)]
    return assert_parity(keras.Model(x, layer(x)), numbers(*sizes))


@examples
@given(length=LENGTHS, target=st.sampled_from([(-1,), (-1, 2), (4, -1), (-1, 4, 1), (3, -1, 4)]))
def test_reshape_layer(length, target):
    check(layers.Reshape(target), (length, 4))


@examples
@given(shape=st.sampled_from([(6, 4), (None, 4), (2, 3, 2), (5,), ()]), first=st.booleans())
def test_flatten(shape, first):
    check(layers.Flatten(data_format="channels_first" if first else "channels_last"), shape)


@examples
@given(length=LENGTHS, dims=st.sampled_from([(1, 2), (2, 1)]))
def test_permute(length, dims):
    check(layers.Permute(dims), (length, 4))


@pytest.mark.parametrize("times", [1, 3])
def test_repeat_vector(times):
    check(layers.RepeatVector(times), (4,))


@examples
@given(length=LENGTHS, before=st.integers(0, 2), after=st.integers(0, 2), first=st.booleans())
def test_zero_padding_and_cropping(length, before, after, first):
    check(layers.ZeroPadding1D((before, after), data_format="channels_first" if first else None), (length, 4))
    check(layers.Cropping1D((before, after)), (length, 4))


@pytest.mark.parametrize("length", [None, 6])
def test_up_sampling(length):
    check(layers.UpSampling1D(3), (length, 4))


def test_identity_and_rescaling():
    assert operators(check(layers.Identity())) == ["Identity"]  # an output has to have a name of its own
    check(layers.Rescaling(0.5, offset=-1))
    check(layers.Rescaling(np.array([1.0, 2, 3, 4], np.float32)))


def test_rescaling_of_integers_gives_real_numbers():
    x = keras.Input((4,), dtype="int32")
    assert_parity(keras.Model(x, layers.Rescaling(1 / 255)(x)), np.arange(8, dtype=np.int32).reshape(2, 4))


FUNCTIONS = {
    "transpose": lambda x: ops.transpose(x, (1, 0, 2)),
    "transpose back": ops.transpose,
    "swapaxes": lambda x: ops.swapaxes(x, 1, -1),
    "moveaxis": lambda x: ops.moveaxis(x, [0, 1], [2, 0]),
    "expand_dims": lambda x: ops.expand_dims(x, -1),
    "expand_dims twice": lambda x: ops.expand_dims(x, (0, 2)),
    "squeeze": lambda x: ops.squeeze(ops.expand_dims(x, 1), 1),
    "ravel": ops.ravel,
    "reshape": lambda x: ops.reshape(x, (-1, 2, 2)),
    "concatenate": lambda x: ops.concatenate([x, x * 2, x], axis=-1),
    "concatenate mixed": lambda x: ops.concatenate([x, ops.cast(x, "int32")], axis=1),
    "stack": lambda x: ops.stack([x, x + 1], axis=2),
    "split": lambda x: ops.split(x, 2, axis=-1)[1],
    "split at": lambda x: ops.split(x, [1, 3], axis=-1)[1],
    "unstack": lambda x: ops.unstack(x, axis=-1)[2],
    "tile": lambda x: ops.tile(x, (2, 1, 3)),
    "tile more axes": lambda x: ops.tile(x, (2, 1, 1, 2)),
    "tile fewer axes": lambda x: ops.tile(x, (2,)),
    "repeat": lambda x: ops.repeat(x, 3, axis=1),
    "repeat last": lambda x: ops.repeat(x, 2, axis=-1),
    "repeat each": lambda x: ops.repeat(x, [1, 0, 2, 3], axis=2),
    "repeat all": lambda x: ops.repeat(x, 2),
    "pad": lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 1]]),
    "pad with": lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 1]], constant_values=1.5),
    "pad reflect": lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 1]], mode="reflect"),
    "pad symmetric": lambda x: ops.pad(x, [[0, 0], [1, 2], [0, 1]], mode="symmetric"),
    "flip": lambda x: ops.flip(x, axis=1),
    "flip all": ops.flip,
    "roll": lambda x: ops.roll(x, 5, axis=-1),
    "roll back": lambda x: ops.roll(x, -1, axis=2),
    "broadcast_to": lambda x: ops.broadcast_to(x[:1, :1], (3, 2, 4)),
    "zeros_like": ops.zeros_like,
    "ones_like": lambda x: ops.ones_like(x, dtype="int32"),
    "full_like": lambda x: ops.full_like(x, 2.5),
    "tril": lambda x: ops.tril(x, k=1),
    "triu": lambda x: ops.triu(x, k=-1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("length", [None, 6])
def test_functions(name, length):
    check(FUNCTIONS[name], (length, 4))

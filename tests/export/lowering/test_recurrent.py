"""Recurrent layers under every mask there is, one operator each."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from kerasllm.export.compiler import lower_model
from kerasllm.export.errors import ExportError
from kerasllm.export.passes import optimise

from ..parity import assert_parity, examples, numbers, operators, randomize

STEPS = 5
# Each of the 32 masks of five steps, so padding on the right and the left, holes, and a row without a step among them.
MASKS = np.array(list(itertools.product([False, True], repeat=STEPS)))
FLAGS = list(itertools.product([False, True], repeat=3))
CLASSES = [layers.LSTM, layers.GRU, layers.SimpleRNN]


def options(flags):
    return dict(zip(("return_sequences", "go_backwards", "zero_output_for_mask"), flags, strict=True))


def states(x, count, units):
    """As many initial states that differ from row to row, [batch, units] each."""
    return [layers.Dense(units)(x[:, index]) for index in range(count)]


def check(build, masks=MASKS):
    """Compares the layers that `build` makes of (x, mask) with Keras, and finds no loop among the operators."""
    x, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    model = randomize(keras.Model([x, mask], keras.tree.flatten(build(x, mask))))
    lowered = assert_parity(model, numbers(*masks.shape, 3), masks)
    assert not {"Loop", "Scan", "If"} & set(operators(lowered))
    return lowered


@pytest.mark.parametrize("cls", CLASSES)
def test_every_mask(cls):
    def build(x, mask):
        return [cls(2, return_state=True, **options(flags))(x, mask=mask) for flags in FLAGS]

    lowered = check(build)
    operator = {layers.LSTM: "LSTM", layers.GRU: "GRU", layers.SimpleRNN: "RNN"}[cls]
    assert operators(lowered).count(operator) == len(FLAGS)
    check(build, np.zeros((3, STEPS), bool))  # where no row has a step, onnxruntime leaves some states unset


@pytest.mark.parametrize("cls", CLASSES)
def test_every_mask_from_an_initial_state(cls):
    def build(x, mask):
        count = 2 if cls is layers.LSTM else 1
        start = states(x, count, 2)
        return [cls(2, return_state=True, **options(flags))(x, mask=mask, initial_state=start) for flags in FLAGS]

    check(build)
    check(build, np.zeros((3, STEPS), bool))


@pytest.mark.parametrize("cls", CLASSES)
def test_every_mask_both_ways(cls):
    def build(x, mask):
        for mode, sequences in itertools.product(["sum", "mul", "ave", "concat", None], [False, True]):
            layer = cls(2, return_sequences=sequences, return_state=sequences)
            yield layers.Bidirectional(layer, merge_mode=mode)(x, mask=mask)
        backward = cls(2, return_sequences=True)  # the first layer may go backwards, and the other be of another kind
        first = layers.GRU(2, return_sequences=True, go_backwards=True)
        yield layers.Bidirectional(first, backward_layer=backward)(x, mask=mask)
        start = states(x, 4 if cls is layers.LSTM else 2, 2)
        yield layers.Bidirectional(cls(2, return_state=True))(x, mask=mask, initial_state=start)

    check(lambda x, mask: list(build(x, mask)))


def cells():
    return [layers.LSTMCell(3), layers.GRUCell(2, reset_after=False), layers.SimpleRNNCell(4), layers.LSTMCell(2)]


def test_every_mask_through_stacked_cells():
    def build(x, mask):
        for flags in FLAGS:
            yield layers.RNN(cells(), return_state=True, **options(flags))(x, mask=mask)
        start = [states(x, 2, 3), states(x, 1, 2), states(x, 1, 4), states(x, 2, 2)]
        yield layers.RNN(layers.StackedRNNCells(cells()), return_state=True)(x, mask=mask, initial_state=start)
        yield layers.RNN(layers.GRUCell(2))(x, mask=mask)
        yield layers.Bidirectional(layers.RNN(cells(), return_sequences=True))(x, mask=mask)

    check(lambda x, mask: list(build(x, mask)))


def hard_sigmoid_of_keras_2(x):
    return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)


ACTIVATIONS = [
    *["tanh", "sigmoid", "relu", "linear", "hard_sigmoid", "elu", "leaky_relu", "softsign", "softplus"],
    hard_sigmoid_of_keras_2,
    lambda x: 1.7 * keras.ops.tanh(x * 2 / 3),
    lambda x: keras.activations.relu(x, threshold=0.1),
]


def test_every_activation_in_every_place():
    def build(x, mask):
        for index, activation in enumerate(ACTIVATIONS):
            other = ACTIVATIONS[index - 1]
            yield layers.LSTM(2, activation=activation, recurrent_activation=other)(x, mask=mask)
            yield layers.GRU(2, activation=activation, recurrent_activation=other, reset_after=index % 2)(x, mask=mask)
            yield layers.SimpleRNN(2, activation=activation)(x, mask=mask)

    check(lambda x, mask: list(build(x, mask)))


@examples
@given(
    cls=st.sampled_from(CLASSES),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    both=st.booleans(),
    use_bias=st.booleans(),
    reset_after=st.booleans(),
    unroll=st.booleans(),
    units=st.integers(1, 4),
    batches=st.lists(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=4), max_size=4),
)
def test_random_configurations(cls, flags, both, use_bias, reset_after, unroll, units, batches):
    extra = {"reset_after": reset_after} if cls is layers.GRU else {}
    rates = {"dropout": 0.5, "recurrent_dropout": 0.5}  # training's business
    layer = cls(units, use_bias=use_bias, unroll=unroll, return_state=True, **options(flags), **rates, **extra)
    x, mask = keras.Input((3, 2)), keras.Input((3,), dtype="bool")
    y = layers.Bidirectional(layer)(x, mask=mask) if both and not flags[1] else layer(x, mask=mask)
    model = randomize(keras.Model([x, mask], [*y, layer(x)[0]]))
    for rows in [[[True] * 3], *batches]:
        assert_parity(model, numbers(len(rows), 3, 2), np.array(rows))


def test_layers_on_one_another_hand_over_packed_steps():
    x, mask = keras.Input((None, 3)), keras.Input((None,), dtype="int32")
    y = layers.LSTM(2, return_sequences=True)(x, mask=mask)
    y = layers.Bidirectional(layers.GRU(2, return_sequences=True))(layers.Dropout(0.5)(y), mask=mask)
    model = randomize(keras.Model([x, mask], layers.LSTM(2)(y, mask=mask)))
    lowered = optimise(assert_parity(model, numbers(*MASKS.shape, 3), MASKS.astype("int32")))
    assert operators(lowered).count("TopK") == 1  # one order of steps, for all
    assert operators(lowered).count("GatherND") == 1  # x comes in once; nothing goes out and in again between


def test_layers_that_turn_time_around_do_not():
    def build(x, mask):
        y = layers.LSTM(2, return_sequences=True, go_backwards=True)(x, mask=mask)
        return layers.GRU(2, return_sequences=True)(y, mask=mask)

    check(build)


def test_a_text_classifier_is_one_operator_on_packed_ids():
    ids = keras.Input((None,), dtype="int32")
    model = randomize(keras.Sequential([ids, layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3), layers.Dense(2)]))
    tokens = MASKS * np.random.default_rng(0).integers(1, 9, MASKS.shape)
    found = operators(optimise(assert_parity(model, tokens.astype("int32"))))
    assert found.count("LSTM") == 1
    assert not {"GatherND", "Where", "Loop", "CumSum"} & set(found)


def test_a_layer_used_twice_is_stored_once():
    def build(x, mask):
        layer = layers.LSTM(3, return_sequences=True)
        return layer(layer(x, mask=mask)), layer(x)

    lowered = check(build)
    assert sum(1 for name in lowered.graph.initializers if "recurrent_kernel" in name) == 1


def test_half_precision_is_computed_in_float32():
    x = keras.Input((None, 3))
    model = randomize(keras.Model(x, layers.GRU(3, return_sequences=True, dtype="mixed_float16")(x)))
    assert_parity(model, numbers(4, STEPS, 3), tolerance=5e-3)


class ForgetfulCell(layers.LSTMCell):
    """What it computes is its own business."""


@pytest.mark.parametrize(
    ("layer", "received"),
    [
        (layers.LSTM(2, stateful=True), "stateful"),
        (layers.RNN(ForgetfulCell(2)), "ForgetfulCell"),
        (layers.LSTM(2, activation="selu"), "'selu'"),
        (layers.GRU(2, recurrent_activation="silu"), "'silu'"),
        (layers.SimpleRNN(2, dtype="float64"), "float64"),
        (layers.Bidirectional(layers.ConvLSTM1D(2, 1)), "ConvLSTM1D"),
    ],
)
def test_what_has_no_exact_form_is_refused(layer, received):
    shape = (2, 4, 5, 3) if received == "ConvLSTM1D" else (2, 4, 3)
    x = keras.Input(batch_shape=shape)
    with pytest.raises(ExportError, match=received):
        lower_model(keras.Model(x, layer(x)))

import keras
import numpy as np

from kerasllm.export.compiler import lower_model
from kerasllm.export.freeing import free_sizes

from .parity import onnx_outputs, randomize, session_of


def fitted(*layers) -> keras.Sequential:
    """A Sequential whose shapes come from a first batch of 4 x 6 ids."""
    model = keras.Sequential(list(layers))
    model(np.ones((4, 6), np.int32))
    return randomize(model)


def test_a_fitted_sequential_takes_any_batch_and_length():
    model = fitted(keras.layers.Embedding(9, 3, mask_zero=True), keras.layers.LSTM(2), keras.layers.Dense(1))
    assert model.inputs[0].shape == (4, 6)
    session = session_of(lower_model(model))
    ids = np.array([[1, 2, 3, 4, 5, 6, 7, 8], [5, 4, 0, 0, 0, 0, 0, 0]])
    expected = np.concatenate([model(row[row > 0][None]) for row in ids])
    np.testing.assert_allclose(onnx_outputs(session, (ids,))[0], expected, rtol=1e-5, atol=1e-6)


def test_a_length_that_the_layers_need_stays():
    model = fitted(keras.layers.Embedding(9, 3), keras.layers.Flatten(), keras.layers.Dense(1))
    freed = free_sizes(model)
    assert freed.inputs[0].shape == (None, 6)
    ids = np.arange(12).reshape(2, 6) % 9
    expected = np.concatenate([model(ids), model(ids)])
    actual = onnx_outputs(session_of(lower_model(model)), (np.concatenate([ids, ids]),))[0]
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_a_model_with_its_own_shapes_is_left_alone():
    ids = keras.Input((6,), dtype="int32")
    functional = keras.Model(ids, keras.layers.Embedding(9, 3)(ids))
    assert free_sizes(functional) is functional
    declared = keras.Sequential([keras.Input((6,), dtype="int32"), keras.layers.Embedding(9, 3)])
    assert free_sizes(declared) is declared

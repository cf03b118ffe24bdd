import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasllm.training.optimizers import AdamW

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def variables():
    random = np.random.default_rng(0)
    return [
        keras.Variable(random.normal(0, 1, (4, 3)), name="kernel"),
        keras.Variable(random.normal(0, 1, (2, 3)), name="bias"),
        keras.Variable(random.normal(0, 1, 3), name="gamma"),
    ]


def gradients(step):
    random = np.random.default_rng(step + 1)
    return [tf.constant(random.normal(0, 2, shape), tf.float32) for shape in ((4, 3), (2, 3), 3)]


@pytest.mark.parametrize("compiled", [False, True])
def test_the_first_step_is_as_long_as_each_variable_s_rate(compiled):
    moved = variables()
    before = [np.array(variable) for variable in moved]
    AdamW(0.1, moved, factors=[1.0, 0.5, 0.25], weight_decay=0.0, compiled=compiled, epsilon=1e-12).apply(gradients(0))
    for variable, start, gradient, factor in zip(moved, before, gradients(0), [1.0, 0.5, 0.25], strict=True):
        np.testing.assert_allclose(variable, start - 0.1 * factor * np.sign(gradient), atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_only_kernels_decay_and_by_their_own_rate(compiled):
    moved = variables()
    before = [np.array(variable) for variable in moved]
    still = [tf.zeros_like(gradient) for gradient in gradients(0)]
    AdamW(0.1, moved, factors=[0.5, 1.0, 1.0], weight_decay=0.4, compiled=compiled).apply(still)
    np.testing.assert_allclose(moved[0], before[0] * (1 - 0.1 * 0.5 * 0.4), rtol=1e-6)
    np.testing.assert_array_equal(moved[1], before[1])
    np.testing.assert_array_equal(moved[2], before[2])


@pytest.mark.parametrize("compiled", [False, True])
def test_with_equal_rates_it_is_keras_s_own(compiled):
    options = {"global_clipnorm": 1.0, "use_ema": True, "ema_momentum": 0.9}
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    ours, theirs = variables(), variables()
    optimizer = AdamW(schedule, ours, factors=[1.0] * 3, weight_decay=0.1, compiled=compiled, **options)
    reference = keras.optimizers.AdamW(schedule, weight_decay=0.1, **options)
    reference.exclude_from_weight_decay(var_names=["bias", "gamma"])
    for step in range(4):
        optimizer.apply(gradients(step), ours)
        reference.apply(gradients(step), theirs)
    for one, other in zip([*ours, *optimizer.variables], [*theirs, *reference.variables], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_one_compiled_step_serves_batches_of_every_length():
    table = keras.Variable(np.ones((6, 2)), name="embeddings")
    optimizer = AdamW(0.1, [table], factors=[1.0], weight_decay=0.0, compiled=True)
    for rows in ([1, 2], [3, 3, 5]):
        optimizer.apply([tf.IndexedSlices(tf.ones((len(rows), 2)), tf.constant(rows), tf.constant([6, 2]))])
    assert optimizer._compiled.experimental_get_tracing_count() == 1
    np.testing.assert_array_equal(np.array(table)[:, 0] < 1, [False, True, True, True, False, True])

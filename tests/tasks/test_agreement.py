import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from kerasllm.tasks.agreement import agreeing, divergence, read_twice

RANDOM = np.random.default_rng(0)


def classifier(dropout=0.5):
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    mask = keras.Input((None,), dtype="int32", name="attention_mask")
    states = keras.layers.Embedding(20, 64)(ids) * keras.ops.cast(mask, "float32")[..., None]
    pooled = keras.layers.Dropout(dropout)(keras.ops.mean(states, axis=1))
    return keras.Model({"input_ids": ids, "attention_mask": mask}, keras.layers.Dense(3)(pooled))


def inputs(rows=5):
    return {"input_ids": RANDOM.integers(0, 20, (rows, 7)), "attention_mask": RANDOM.integers(0, 2, (rows, 7))}


def test_each_text_is_read_twice_with_dropouts_of_its_own_and_the_same_weights():
    model, texts = classifier(), inputs()
    twice = read_twice(model)
    assert [id(weight) for weight in twice.weights] == [id(weight) for weight in model.weights]
    once = np.array(model(texts))
    np.testing.assert_allclose(twice(texts), np.stack([once, once], axis=1), rtol=1e-6)
    drawn = np.array(twice(texts, training=True))
    assert drawn.shape == (5, 2, 3)
    assert (drawn[:, 0] != drawn[:, 1]).all()


def test_the_divergence_is_the_mean_of_both_directions():
    first, second = RANDOM.normal(0, 3, (2, 8, 4)).astype("float32")
    p, q, log_p, log_q = softmax(first, -1), softmax(second, -1), log_softmax(first, -1), log_softmax(second, -1)
    expected = ((p * (log_p - log_q)).sum(-1) + (q * (log_q - log_p)).sum(-1)) / 2
    np.testing.assert_allclose(divergence(first, second, multi_label=False), expected, rtol=1e-5)


def test_the_divergence_of_many_labels_is_the_sum_of_each_alone():
    first, second = RANDOM.normal(0, 3, (2, 8, 4)).astype("float32")
    one = [np.stack([logits, np.zeros_like(logits)], axis=-1) for logits in (first, second)]  # a softmax of two
    each = np.array(divergence(one[0].reshape(-1, 2), one[1].reshape(-1, 2), multi_label=False)).reshape(8, 4)
    np.testing.assert_allclose(divergence(first, second, multi_label=True), each.sum(-1), rtol=1e-4)


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_loss_is_that_of_both_readings_and_half_of_what_they_differ_by(multi_label):
    logits = RANDOM.normal(0, 1, (6, 2, 4)).astype("float32")
    loss = agreeing(lambda labels, scores: labels * keras.ops.sum(scores, axis=-1), 3.0, multi_label=multi_label)
    known = logits.sum(-1).mean(1) * 2
    apart = np.array(divergence(logits[:, 0], logits[:, 1], multi_label=multi_label))
    np.testing.assert_allclose(loss(2.0, logits), known + 1.5 * apart, rtol=1e-5)


def test_readings_that_must_agree_do():
    """Noise is all that the inputs say, so that readings differ as far as their dropout does."""
    texts, labels = inputs(200), RANDOM.integers(0, 3, 200)

    def apart(strength):
        keras.utils.set_random_seed(1)
        model = read_twice(classifier())
        cross_entropy = keras.losses.sparse_categorical_crossentropy
        model.compile(
            keras.optimizers.Adam(0.02),
            agreeing(lambda known, logits: cross_entropy(known[:, 0], logits, from_logits=True), strength),
        )
        model.fit(texts, labels[:, None], epochs=20, verbose=0)
        drawn = np.array(model(texts, training=True))
        return float(np.mean(divergence(drawn[:, 0], drawn[:, 1], multi_label=False)))

    assert apart(10.0) < apart(0.0) / 3

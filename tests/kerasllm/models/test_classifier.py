from functools import lru_cache

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.models.classifier import ClassifierConfig, build_classifier

ENCODERS = ("mlp", "cnn", "rnn", "lstm", "gru", "bilstm")
POOLINGS = ("last", "mean", "max", "attention", "hard-attention")

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def small(**options):
    keras.utils.set_random_seed(0)  # some draws leave a layer of relu's dead for the text asked
    config = ClassifierConfig(embedding_dim=6, units=5, **options)
    return build_classifier(config, vocab_size=20, classes=3)


def ragged(lengths, width=None, seed=0):
    """Random ids everywhere, padding included: what the mask hides must not matter."""
    width = width or max(lengths)
    mask = (np.arange(width) < np.array(lengths)[:, None]).astype("int32")
    ids = np.random.default_rng(seed).integers(0, 20, mask.shape).astype("int32")
    return ids, mask


@pytest.fixture(scope="module")
def models():
    """Built when first asked for, once; two layers where a layer stacks on another."""
    return lru_cache(lambda encoder, pooling: small(encoder=encoder, pooling=pooling, layers=1 + (pooling == "mean")))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    encoder=st.sampled_from(ENCODERS),
    pooling=st.sampled_from(POOLINGS),
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    extra=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_padding_is_never_seen(models, encoder, pooling, lengths, extra, seed):
    width = max(1, *lengths)
    ids, mask = ragged(lengths, width + extra, seed)
    padded = models(encoder, pooling)([ids, mask], training=False).numpy()
    cut = models(encoder, pooling)([ids[:, :width], mask[:, :width]], training=False).numpy()
    np.testing.assert_allclose(padded, cut, atol=1e-5)


def test_every_token_of_a_text_counts_where_all_are_pooled(models):
    ids, mask = ragged([6])
    for pooling in ("mean", "attention"):
        for encoder in ENCODERS:
            model = models(encoder, pooling)
            before = model([ids, mask], training=False).numpy()
            for place in (0, 5):
                other = ids.copy()
                other[0, place] = (ids[0, place] + 1) % 20
                after = model([other, mask], training=False).numpy()
                assert np.abs(after - before).max() > 1e-6, (encoder, pooling, place)


def test_last_is_the_state_after_the_last_token(models):
    ids, mask = ragged([3, 7])
    for encoder in ENCODERS:
        model = models(encoder, "last")
        both = model([ids, mask], training=False).numpy()
        alone = model([ids[:1, :3], mask[:1, :3]], training=False).numpy()
        np.testing.assert_allclose(both[:1], alone, atol=1e-6)


def test_pooling_follows_from_the_encoder_unless_named():
    ids, mask = ragged([4, 2])
    for encoder, pooling in (("lstm", "last"), ("cnn", "max"), ("mlp", "mean")):
        default, named = small(encoder=encoder), small(encoder=encoder, pooling=pooling)
        named.set_weights(default.get_weights())
        np.testing.assert_array_equal(default([ids, mask]), named([ids, mask]))


def test_hard_attention_reads_one_token_and_learns_through_the_soft_weights():
    import tensorflow as tf

    model = small(encoder="mlp", pooling="hard-attention")
    for weight in model.trainable_variables:
        weight.assign(np.random.default_rng(3).normal(size=weight.shape))
    ids, mask = ragged([8])
    changed = []
    for place in range(8):
        one = np.array([[ids[0, place]]], "int32")
        changed.append(np.allclose(model([ids, mask]), model([one, np.ones((1, 1), "int32")]), atol=1e-5))
    assert any(changed)  # the whole text scores as one of its tokens does alone
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(model([ids, mask]) ** 2)
    score = model.get_layer("attention_score").kernel
    assert np.abs(tape.gradient(loss, score.value)).max() > 0


@pytest.mark.parametrize("encoder", ENCODERS)
def test_model_file_loads_in_safe_mode(encoder, tmp_path):
    model = small(encoder=encoder, pooling="hard-attention", layers=2, l2=0.1, word_dropout=0.1, embedding_dropout=0.1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    inputs = ragged([5, 2, 0])
    np.testing.assert_array_equal(model(inputs, training=False), loaded(inputs, training=False))
    assert {layer.__class__.__module__.partition(".")[0] for layer in loaded.layers} == {"keras"}


def test_dropouts_hide_in_training_only():
    inputs = ragged([7, 7])
    for option in ("word_dropout", "embedding_dropout", "dropout"):
        model = small(encoder="mlp", **{"dropout": 0.0, option: 0.5})
        still, moving = model(inputs, training=False), model(inputs, training=True)
        assert np.abs(still - moving).max() > 1e-6, option
        np.testing.assert_array_equal(still, model(inputs, training=False))


def test_given_vectors_are_the_embedding_and_may_be_frozen():
    vectors = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")
    config = ClassifierConfig(embedding_dim=6, units=5, freeze_vectors=True)
    model = build_classifier(config, vocab_size=20, classes=2, vectors=vectors)
    np.testing.assert_array_equal(model.get_layer("embedding").embeddings, vectors)
    assert not any("embedding" in variable.path for variable in model.trainable_variables)


@pytest.mark.parametrize("wrong", [{"units": 0}, {"dropout": 1.0}, {"word_dropout": -0.1}, {"l2": -1.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="Received"):
        ClassifierConfig(**wrong)

"""Fill-mask models and their training."""

import keras
import numpy as np
import pytest

from kerasllm.data.masked_rows import FIXED, MaskedRows
from kerasllm.data.masking import MaskingConfig
from kerasllm.tasks.masking import (
    MaskingTask,
    at_positions,
    logits_only,
    masked_cross_entropy,
    masked_model,
    with_next_sentence,
)

from .small import sentences, small_encoder

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
DOCUMENTS = [sentences()[start : start + 4] for start in range(0, 24, 4)]


def inputs(encoder, rows=2, length=6):
    random = np.random.default_rng(0)
    arrays = {name: np.zeros((rows, length), np.int32) for name in encoder.inputs()}
    arrays["input_ids"][:] = random.integers(5, encoder.vocab_size, (rows, length))
    arrays["attention_mask"][:] = 1
    return arrays


def paths(model):
    return [weight.path for weight in model.weights]


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "albert"])
def test_a_saved_model_is_tied_and_says_the_same(architecture, tmp_path):
    encoder = small_encoder(architecture)
    model = masked_model(encoder)
    model.get_layer("mask_bias").set_weights([np.random.default_rng(1).normal(size=(1, encoder.vocab_size))])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    arrays = inputs(encoder)
    logits = keras.ops.convert_to_numpy(model(arrays))
    assert logits.shape == (2, 6, encoder.vocab_size)
    np.testing.assert_array_equal(logits, loaded(arrays))
    tables = [weight for weight in loaded.weights if encoder.vocab_size in weight.shape and weight.shape[0] > 1]
    assert len(tables) == 1  # one table for tokens and logits
    tables[0].assign(2 * tables[0])
    assert not np.allclose(logits, loaded(arrays))

    asked = at_positions(loaded)
    positions = np.array([[0, 5, 3], [2, 2, 1]], np.int32)
    here = asked({**arrays, "masked_positions": positions})
    np.testing.assert_allclose(here, np.take_along_axis(np.asarray(loaded(arrays)), positions[..., None], 1), atol=1e-4)
    assert paths(asked) == paths(model)


def test_padding_is_never_seen():
    encoder = small_encoder()
    model, short = masked_model(encoder), inputs(encoder)
    padded = {name: np.pad(array, ((0, 0), (0, 3))) for name, array in short.items()}
    np.testing.assert_allclose(model(padded)[:, :6], model(short), atol=1e-5)


def test_next_sentence_is_a_second_output():
    model = with_next_sentence(masked_model(small_encoder()))
    arrays = inputs(small_encoder())
    outputs = model(arrays)
    assert outputs["next_sentence"].shape == (2, 2)
    np.testing.assert_array_equal(logits_only(model)(arrays), outputs["logits"])
    assert paths(at_positions(model)) == paths(model)
    assert logits_only(alone := logits_only(model)) is alone


def test_loss_counts_the_masked_tokens_alone():
    random = np.random.default_rng(0)
    logits = random.normal(size=(2, 3, 7)).astype(np.float32)
    labels = np.array([[1, -1, 6], [-1, -1, 0]], np.float32)  # as Keras hands them over
    chosen = [(0, 0, 1), (0, 2, 6), (1, 2, 0)]
    expected = np.mean([np.log(np.exp(logits[row, place]).sum()) - logits[row, place, at] for row, place, at in chosen])
    assert float(masked_cross_entropy(labels, logits)) == pytest.approx(expected, rel=1e-5)
    assert float(masked_cross_entropy(np.full((2, 3), -1.0), logits)) == 0


def test_report_is_what_the_logits_say():
    encoder = small_encoder()
    task = MaskingTask(
        {"train": DOCUMENTS, "validation": DOCUMENTS}, encoder, MaskingConfig(), batch_size=5, max_length=16
    )
    assert task.examples == {"train": 12, "validation": 12}
    model = task.build()
    options = {"batch_size": 5, "max_length": 16, "segments": True}
    batch = MaskedRows(DOCUMENTS, encoder.tokenizer, MaskingConfig(), **options).batch(np.arange(12), *FIXED)
    full = model({name: batch[name] for name in encoder.inputs()})
    here = np.take_along_axis(np.asarray(full), batch["masked_positions"][..., None], axis=1)
    report = task.report(model, "validation")
    assert report["loss"] == pytest.approx(float(masked_cross_entropy(batch["labels"], here)), rel=1e-4)
    assert report["perplexity"] == pytest.approx(np.exp(report["loss"]))
    assert report["masked_accuracy"] == pytest.approx((here.argmax(-1) == batch["labels"]).mean())
    assert report["masked_tokens"] == 24


def test_what_an_encoder_cannot_do():
    options = {"batch_size": 4, "max_length": 16}
    with pytest.raises(ValueError, match="segments"):
        MaskingTask({}, small_encoder("distilbert"), MaskingConfig(next_sentence=True), **options)
    with pytest.raises(ValueError, match="`max_length`"):
        MaskingTask({}, small_encoder(positions=8), MaskingConfig(), **options)

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasllm.models.classifier import ClassifierConfig, build_classifier
from kerasllm.tasks.task import Task
from kerasllm.training import devices
from kerasllm.training import trainer as fitting
from kerasllm.training.errors import TrainingError
from kerasllm.training.settings import TrainingConfig
from kerasllm.training.trainer import Trainer
from kerasllm.training.tuning import TuningConfig

from ..tiny_encoder import tiny_batches, tiny_classifier

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class SmallTask(Task):
    """What the trainer asks of a task, with four steps an epoch."""

    def build(self):
        config = ClassifierConfig(encoder="mlp", embedding_dim=4, units=4, dropout=0.2)
        return build_classifier(config, vocab_size=9, classes=2)

    def loss(self):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def steps(self):
        return 4

    tokens = batches = report = None


class EncoderTask(SmallTask):
    """The same of an encoder."""

    def build(self):
        return tiny_classifier(dropout=0.1)


def trainer(**training):
    return Trainer(SmallTask(), TrainingConfig(**training), TuningConfig())


def examples():
    ids = np.arange(1, 9, dtype="int32").reshape(4, 2)
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    return tf.data.Dataset.from_tensors((inputs, np.array([0, 1, 0, 1]))).repeat()


def test_a_state_is_gone_back_to_exactly():
    fit = trainer(average=0.9, schedule="cosine", learning_rate=0.1)
    fit.epoch(0, examples())
    before = fit.state()
    loss, after = fit.epoch(1, examples()), fit.state()
    assert any(not np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    fit.restore(before)
    assert fit.epoch(1, examples()) == loss
    for one, other in zip(fit.state(), after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_average_of_the_weights_is_saved_and_training_goes_on_from_the_weights():
    plain, averaged = trainer(learning_rate=0.05), trainer(learning_rate=0.05, average=0.5)
    start = plain.portable.get_weights()
    seen = []
    for epoch in range(2):
        plain.epoch(epoch, examples())
        averaged.epoch(epoch, examples())
        seen.append(plain.portable.get_weights())
    for raw, other in zip(plain._model.get_weights(), averaged._model.get_weights(), strict=True):
        np.testing.assert_allclose(raw, other, atol=1e-6)
    kernel = -2  # the output's: between where it was and where it is
    mean, last = averaged.portable.get_weights()[kernel], plain.portable.get_weights()[kernel]
    assert 0 < np.abs(mean - last).max() < np.abs(start[kernel] - last).max()


def test_half_precision_where_the_device_has_it_and_never_in_the_saved_model(monkeypatch, tmp_path):
    assert trainer(mixed_precision=True)._model.layers[-2].compute_dtype == "float32"  # a CPU
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [gpu])
    for capability, expected in (((6, 1), "float32"), ((7, 5), "float16"), ((8, 0), "bfloat16")):
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: {"compute_capability": capability})  # noqa: B023
        fit = trainer(mixed_precision=True, average=0.9)
        assert fit._model.get_layer("mlp_0").compute_dtype == expected
    assert np.isfinite(fit.epoch(0, examples()))
    assert keras.config.dtype_policy().name == "float32"
    fit.save(tmp_path / "model.keras")
    saved = keras.saving.load_model(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in saved.layers if layer.weights} == {"float32"}


def test_frozen_layers_stay_and_the_others_move():
    tuning = TuningConfig(freeze_layers=1, layer_decay=0.5)
    fit = Trainer(EncoderTask(), TrainingConfig(learning_rate=0.01), tuning)
    names, before = [variable.path.split("/")[0] for variable in fit._model.weights], fit._model.get_weights()
    fit.epoch(0, tiny_batches())
    weights = zip(names, before, fit._model.get_weights(), strict=True)
    moved = {name for name, one, other in weights if not np.array_equal(one, other)}
    assert moved == {"transformer_layer_1", "pooled_dense", "logits"}


def test_lora_learns_resumes_exactly_and_saves_an_ordinary_model(tmp_path):
    tuning = TuningConfig(lora_rank=2)
    fit = Trainer(EncoderTask(), TrainingConfig(learning_rate=0.01, average=0.9), tuning)
    first = fit.epoch(0, tiny_batches())
    state = fit.state()
    second = fit.epoch(1, tiny_batches())
    assert second < first
    expected = fit.portable.get_weights()
    other = Trainer(EncoderTask(), TrainingConfig(learning_rate=0.01, average=0.9), tuning)
    other.restore(state)
    assert other.epoch(1, tiny_batches()) == second
    other.save(tmp_path / "model.keras")
    saved = keras.saving.load_model(tmp_path / "model.keras")
    for one, two in zip(saved.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(one, two)
    assert [weight.shape for weight in saved.weights] == [weight.shape for weight in tiny_classifier().weights]


def test_weights_that_the_last_step_broke_are_not_taken():
    fit = trainer(learning_rate=1e39, clip_norm=None)
    fit._steps = 1
    with pytest.raises(TrainingError, match="in epoch 1, its last step"):
        fit.epoch(0, examples())
    assert all(np.isfinite(weight).all() for weight in fit.portable.get_weights())


def test_on_a_gpu_only_some_steps_are_looked_at_and_a_broken_loss_still_ends_the_epoch(monkeypatch):
    seen = []
    monkeypatch.setattr(fitting._Watch, "on_train_batch_end", lambda self, batch, logs: seen.append(batch))
    trainer().epoch(0, examples())
    assert seen == [0, 1, 2, 3]
    monkeypatch.setattr(fitting.devices, "gpus", lambda: [devices.Gpu("a GPU", (9, 0))])
    monkeypatch.setattr(fitting, "_EVERY", 3)
    fit = trainer()
    fit.epoch(0, examples())
    assert seen == [0, 1, 2, 3, 2, 3]
    monkeypatch.undo()
    monkeypatch.setattr(fitting.devices, "gpus", lambda: [devices.Gpu("a GPU", (9, 0))])
    fit = trainer(learning_rate=1e39, clip_norm=None)
    fit._steps = 40
    with pytest.raises(TrainingError, match="step 10"):
        fit.epoch(0, examples())

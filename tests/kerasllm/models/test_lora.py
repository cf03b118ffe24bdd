import numpy as np
import pytest

from kerasllm.models.lora import merged_weights
from kerasllm.training.tuning import TuningConfig, prepare

from ..tiny_encoder import tiny_classifier

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_merged_weights_compute_what_the_thin_matrices_do():
    model, plain = tiny_classifier(), tiny_classifier()
    names = ("query", "key", "value", "attention_output", "feedforward_intermediate_dense", "feedforward_output_dense")
    prepare(model, TuningConfig(lora_rank=2, lora_alpha=3.0, lora_layers=names))
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0, 0.5, variable.shape))
    plain.set_weights(merged_weights(model))
    ids = random.integers(0, 20, (4, 7)).astype("int32")
    inputs = {"input_ids": ids, "attention_mask": (np.arange(7) < [[3], [7], [1], [5]]).astype("int32")}
    before = model.get_layer("logits").kernel + 0
    np.testing.assert_allclose(plain(inputs), model(inputs), atol=1e-5)
    np.testing.assert_array_equal(model.get_layer("logits").kernel, before)  # the model itself stays as it is
    assert not [variable for variable in plain.weights if "lora" in variable.path]


def test_without_lora_they_are_the_weights():
    model = tiny_classifier()
    for merged, weight in zip(merged_weights(model), model.get_weights(), strict=True):
        np.testing.assert_array_equal(merged, weight)

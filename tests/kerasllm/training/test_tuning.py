import keras
import pytest

from kerasllm.models.classifier import ClassifierConfig, build_classifier
from kerasllm.training.tuning import TuningConfig, learning_rate_factors, levels, prepare

from ..tiny_encoder import tiny_classifier

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def trainable(model):
    """The paths of the weights that are trained, without the name that Keras gave the backbone."""
    return [variable.path for variable in model.trainable_variables]


def test_levels_go_from_the_embeddings_to_the_head():
    model = tiny_classifier()
    below, first, second, above = [[variable.path for variable in rung] for rung in levels(model)]
    assert {path.split("/")[0] for path in below} == {
        "token_embedding",
        "position_embedding",
        "segment_embedding",
        "embeddings_layer_norm",
    }
    assert {path.split("/")[0] for path in first} == {"transformer_layer_0"}
    assert {path.split("/")[0] for path in second} == {"transformer_layer_1"}
    assert {path.split("/")[0] for path in above} == {"pooled_dense", "logits"}
    assert len(below + first + second + above) == len(model.weights)


def test_layers_that_share_weights_are_one_level():
    import keras_hub

    sizes = {"num_layers": 3, "num_heads": 2, "embedding_dim": 4, "hidden_dim": 8, "intermediate_dim": 16}
    albert = keras_hub.models.AlbertBackbone(vocabulary_size=20, max_sequence_length=16, **sizes)
    assert [len(rung) > 0 for rung in levels(albert)] == [True, True, True]


def test_the_learning_rate_shrinks_level_by_level():
    model = tiny_classifier()
    factors = dict(zip(trainable(model), learning_rate_factors(model, 0.5), strict=True))
    assert factors["logits/kernel"] == factors["pooled_dense/kernel"] == 1
    assert factors["transformer_layer_1/feedforward_output_dense/bias"] == 0.5
    assert factors["transformer_layer_0/self_attention_layer/query/kernel"] == 0.25
    assert factors["token_embedding/embeddings"] == 0.125


def test_what_is_frozen_is_not_trained():
    model = tiny_classifier()
    prepare(model, TuningConfig(freeze_embeddings=True))
    assert "token_embedding/embeddings" not in trainable(model)
    assert "embeddings_layer_norm/gamma" in trainable(model)
    model = tiny_classifier()
    prepare(model, TuningConfig(freeze_layers=1))
    assert {path.split("/")[0] for path in trainable(model)} == {"transformer_layer_1", "pooled_dense", "logits"}
    model = tiny_classifier()
    prepare(model, TuningConfig())
    assert len(model.trainable_variables) == len(model.weights)


def test_with_lora_only_thin_matrices_and_the_head_are_trained():
    model = tiny_classifier()
    prepare(model, TuningConfig(lora_rank=2, lora_layers=("value", "feedforward_output_dense")))
    head = {"pooled_dense/kernel", "pooled_dense/bias", "logits/kernel", "logits/bias"}
    lora = set(trainable(model)) - head
    assert head < set(trainable(model))
    assert lora == {
        f"transformer_layer_{number}/{layer}/lora_kernel_{part}"
        for number in (0, 1)
        for layer in ("self_attention_layer/value", "feedforward_output_dense")
        for part in ("a", "b")
    }
    factors = dict(zip(trainable(model), learning_rate_factors(model, 0.5), strict=True))
    assert factors["transformer_layer_0/feedforward_output_dense/lora_kernel_a"] == 0.25
    model = tiny_classifier()
    prepare(model, TuningConfig(lora_rank=2, freeze_layers=1))
    assert not [path for path in trainable(model) if "layer_0" in path]


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"freeze_layers": 3}, "at most 2"), ({"lora_rank": 2, "lora_layers": ("queries",)}, "attention_output.*queries")],
)
def test_settings_that_do_not_fit_the_model(settings, message):
    with pytest.raises(ValueError, match=message):
        prepare(tiny_classifier(), TuningConfig(**settings))


@pytest.mark.parametrize(
    "settings", [{"layer_decay": 0}, {"layer_decay": 1.1}, {"freeze_layers": -1}, {"lora_rank": -1}, {"lora_alpha": 0}]
)
def test_impossible_settings(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        TuningConfig(**settings)


def test_a_model_without_transformer_layers():
    model = build_classifier(ClassifierConfig(units=4), vocab_size=9, classes=2)
    assert learning_rate_factors(model, 1.0) == [1.0] * len(model.trainable_variables)
    for attempt in (
        lambda: learning_rate_factors(model, 0.9),
        lambda: prepare(model, TuningConfig(freeze_layers=1)),
        lambda: prepare(model, TuningConfig(lora_rank=1)),
    ):
        with pytest.raises(ValueError, match="transformer layers"):
            attempt()
    assert isinstance(model, keras.Model)

"""Transformer encoders of KerasHub's layers, as plain functional models: what every task's model is built on.

KerasHub's classes fix the activation and the epsilon of an architecture; a folder of Hugging Face says them in its
config.json. So the backbone is built by KerasHub and then its configuration, which is plain JSON, is made to say the
same as the folder's. The model holds KerasHub's layers and nothing of ours, and no pooler: that belongs to a head.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ..extras import require

Architecture = Literal["bert", "distilbert", "roberta", "albert", "electra"]
Activation = Literal["gelu", "gelu_tanh", "relu", "silu"]
SEGMENTED = ("bert", "albert", "electra")  # architectures that tell a first text from a second one
FACTORISED = ("albert", "electra")  # those whose embeddings may be narrower than their layers


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """The numbers that make an architecture a model."""

    architecture: Architecture
    vocab_size: int
    layers: int
    heads: int
    hidden: int
    intermediate: int
    embedding: int
    positions: int
    segments: int = 2
    groups: int = 1
    dropout: float = 0.1
    activation: Activation = "gelu"
    epsilon: float = 1e-12

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise ValueError(
                f"The hidden size must be a multiple of the attention heads. Received: {self.hidden} and {self.heads}."
            )
        if self.layers % self.groups:
            raise ValueError(
                f"Layers must be a multiple of the groups that share weights. "
                f"Received: {self.layers} and {self.groups}."
            )
        if self.positions < 1:
            raise ValueError(f"An encoder must have a position at least. Received: {self.positions}.")


def build_backbone(config: BackboneConfig) -> Any:
    """Builds the encoder with fresh weights.

    Returns:
        A functional `keras.Model` named "encoder" from `token_ids`, `padding_mask` and, where the architecture has
        segments, `segment_ids`, int32 [batch, sequence], to float32 [batch, sequence, hidden].
    """
    keras = require("train", "keras")
    settings = plain_model(_kerashub_backbone(config)).get_config()
    edit_layers(settings, "TransformerEncoder", activation=_activation(config.activation))
    edit_layers(settings, "TransformerEncoder", layer_norm_epsilon=config.epsilon)
    edit_layers(settings, "LayerNormalization", epsilon=config.epsilon)
    return keras.Model.from_config(settings)


def plain_model(backbone: Any) -> Any:
    """A KerasHub backbone without its class and its pooler: the same layers as a functional model named "encoder"."""
    keras = require("train", "keras")
    output = backbone.output
    model = keras.Model(
        backbone.input, output["sequence_output"] if isinstance(output, dict) else output, name="encoder"
    )
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=_call)


def _call(layer: Any, *arguments: Any, **options: Any) -> Any:
    """Calls a layer; one of tokens and positions as two: a head can only share the matrix of a layer of its own."""
    keras = require("train", "keras")
    if type(layer).__name__ != "TokenAndPositionEmbedding":
        return layer(*arguments, **options)
    tokens = layer.token_embedding(*arguments)
    return keras.layers.Add(name="embeddings_add")([tokens, layer.position_embedding(tokens)])


def edit_layers(settings: dict[str, Any], class_name: str, **values: Any) -> None:
    """Changes the configuration of every layer of a class, in place."""
    for layer in settings["layers"]:
        if layer["class_name"] == class_name:
            layer["config"].update(values)


def set_dropout(settings: dict[str, Any], rate: float) -> None:
    """Sets the share of values that training hides, everywhere in a backbone's configuration."""
    edit_layers(settings, "TransformerEncoder", dropout=rate)
    edit_layers(settings, "Dropout", rate=rate)


def _kerashub_backbone(config: BackboneConfig) -> Any:
    hub = require("train", "keras_hub").models
    sizes: dict[str, Any] = {
        "num_layers": config.layers,
        "num_heads": config.heads,
        "hidden_dim": config.hidden,
        "intermediate_dim": config.intermediate,
        "dropout": config.dropout,
        "max_sequence_length": config.positions,
        "vocab_size" if config.architecture == "electra" else "vocabulary_size": config.vocab_size,
    }
    if config.architecture in SEGMENTED:
        sizes["num_segments"] = config.segments
    if config.architecture in FACTORISED:
        sizes["embedding_dim"] = config.embedding
    if config.architecture == "albert":
        sizes["num_groups"] = config.groups
    classes = {
        "bert": hub.BertBackbone,
        "distilbert": hub.DistilBertBackbone,
        "roberta": hub.RobertaBackbone,
        "albert": hub.AlbertBackbone,
        "electra": hub.ElectraBackbone,
    }
    return classes[config.architecture](**sizes)


def _activation(name: str) -> Any:
    """An activation as a layer's configuration names it."""
    if name != "gelu_tanh":
        return name
    from keras_hub.src.utils.keras_utils import gelu_approximate

    return require("train", "keras").saving.serialize_keras_object(gelu_approximate)

"""Encoders to build tasks on: from scratch, a folder of Hugging Face, a KerasHub preset, or a RUN of this project."""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..checks import check_least, check_shares
from ..extras import require
from ..pretrained.huggingface import read_pretrained
from ..pretrained.kerashub import is_preset_name, read_preset
from ..pretrained.runs import read_run
from ..pretrained.settings import read_json
from ..tokenizing.tokenizer import tokenizer_json, vocab_size
from .backbones import (
    FACTORISED,
    Architecture,
    BackboneConfig,
    build_backbone,
    set_dropout,
)

# Layers, heads, width and inner width of encoders that train on a CPU (Turc et al. 2019, Well-Read Students Learn
# Better, measured such sizes), and tokens that they read at most.
PRESETS = {
    "tiny": {"layers": 2, "heads": 2, "hidden": 128, "intermediate": 512, "positions": 512},
    "mini": {"layers": 4, "heads": 4, "hidden": 256, "intermediate": 1024, "positions": 512},
    "small": {"layers": 4, "heads": 8, "hidden": 512, "intermediate": 2048, "positions": 512},
}
_SIZES = ("layers", "heads", "hidden", "intermediate", "embedding", "positions")


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Which encoder, and of what size where it starts from scratch."""

    encoder: str = "mini"
    """tiny, mini or small (from scratch), a Hugging Face, KerasHub or RUN folder, or the name of a KerasHub preset."""
    architecture: Architecture = "bert"
    """Layers and embeddings from scratch, as this family of models has them."""
    layers: int | None = None
    """Transformer layers, from scratch (default: the preset's)."""
    heads: int | None = None
    """Attention heads of a layer, from scratch (default: the preset's)."""
    hidden: int | None = None
    """Numbers a token is in every layer, from scratch (default: the preset's)."""
    intermediate: int | None = None
    """Width inside a layer's feed-forward part, from scratch (default: the preset's)."""
    embedding: int | None = None
    """Numbers a token is embedded in, from scratch, for albert and electra (default: half of `hidden`)."""
    positions: int | None = None
    """Most tokens that can be read at once, from scratch (default: the preset's)."""
    dropout: float | None = None
    """Share of values hidden in training inside the encoder, 0 to 1 (default: the encoder's own; 0.1 from scratch)."""

    def __post_init__(self) -> None:
        check_least(self, 1, *_SIZES)
        check_shares(self, "dropout")
        given = [name for name in _SIZES if getattr(self, name) is not None]
        if given and self.encoder not in PRESETS:
            raise ValueError(
                f"Sizes can be set from scratch only ({', '.join(PRESETS)}). "
                f"Received: {', '.join(given)} for {self.encoder!r}, which has its own. Leave them out."
            )


@dataclass(frozen=True, eq=False)
class Encoder:
    """An encoder with its weights and its tokenizer; `open_encoder` makes one.

    Attributes:
        tokenizer: Its own tokenizer, with no padding and no truncation set.
        max_length: Most tokens that it can read at once, special ones among them.
        segments: Whether it tells a first text from a second one (`token_type_ids`).
        hidden: Numbers a token is in its output.
        layers: Transformer layers.
        vocab_size: Rows of its embedding: token ids are below it.
    """

    tokenizer: Tokenizer = field(repr=False)
    max_length: int
    segments: bool
    hidden: int
    layers: int
    vocab_size: int
    _settings: dict[str, Any] = field(repr=False)
    _weights: list[np.ndarray] = field(repr=False)

    def backbone(self) -> Any:
        """A new model with the encoder's weights: the same ones at every call.

        Returns:
            A functional `keras.Model` named "encoder", of KerasHub's layers, from `token_ids`, `padding_mask` and,
            with segments, `segment_ids`, int32 [batch, sequence], to float32 [batch, sequence, hidden].
        """
        model = require("train", "keras").Model.from_config(copy.deepcopy(self._settings))
        model.set_weights(self._weights)
        return model

    def inputs(self) -> dict[str, Any]:
        """A task model's inputs by name, int32 [batch, sequence]; `token_type_ids` only where there are segments."""
        keras = require("train", "keras")
        names = ["input_ids", "attention_mask", *["token_type_ids"] * self.segments]
        return {name: keras.Input((None,), dtype="int32", name=name) for name in names}

    def hidden_state(self, backbone: Any, inputs: dict[str, Any]) -> Any:
        """The encoder's output for `inputs()`: float32 [batch, sequence, hidden].

        The backbone's layers become layers of the task's model: a saved model inside a model loses what its layers
        share with a head, as fill-mask shares the token embedding.
        """
        names = {"token_ids": "input_ids", "padding_mask": "attention_mask", "segment_ids": "token_type_ids"}
        layers = require("train", "keras").Function(backbone.inputs, backbone.output)
        return layers.call([inputs[names[tensor.name]] for tensor in backbone.inputs])

    def token_embedding(self, backbone: Any) -> Any:
        """The backbone's `keras.layers.ReversibleEmbedding` of tokens, for heads that share its matrix."""
        return _find(backbone, "ReversibleEmbedding")

    def check_length(self, max_length: int) -> None:
        """Refuses to read more tokens at once than the encoder has positions."""
        if max_length > self.max_length:
            raise ValueError(
                f"`max_length` must be at most the encoder's {self.max_length} positions. Received: {max_length}."
            )


def open_encoder(config: EncoderConfig, tokenizer: Tokenizer | None = None) -> Encoder:
    """Opens an encoder: its weights are read and checked, or drawn.

    Args:
        config: Which one.
        tokenizer: What an encoder from scratch reads its texts with (`train_bert_tokenizer` trains one), or a preset
            whose own cannot be read. Other encoders have their own.

    Returns:
        The encoder.

    Raises:
        FileNotFoundError: There is no such folder, or a file of it is missing.
        ValueError: The folder is damaged or not one of an encoder, or its parts contradict each other.
    """
    if config.encoder in PRESETS:
        return _from_scratch(config, tokenizer)
    model, own = _pretrained(config.encoder)
    if own is not None and tokenizer is not None and tokenizer_json(own) != tokenizer_json(tokenizer):
        raise ValueError(f"A pretrained encoder has its own tokenizer. Received: another one for {config.encoder}.")
    own = own or tokenizer
    if own is None:
        raise ValueError(f"An encoder needs its tokenizer.json. Received: {config.encoder}, which has none to read.")
    return _encoder(model, own, config.dropout)


def _pretrained(source: str) -> tuple[Any, Tokenizer | None]:
    """The model and the tokenizer of a folder or a preset."""
    folder = Path(source)
    if not folder.is_dir():
        if is_preset_name(source):
            return read_preset(source)
        raise FileNotFoundError(
            f"An encoder must be {', '.join(PRESETS)}, a folder, or the name of a KerasHub preset. "
            f"Received: {source!r}, which is none of them."
        )
    settings = read_json(folder / "config.json")
    if "format" in settings:
        return read_run(folder)
    if "class_name" in settings:
        return read_preset(source)
    pretrained = read_pretrained(folder)
    model = build_backbone(pretrained.config)
    model.set_weights(pretrained.weights(model))
    return model, pretrained.tokenizer


def _from_scratch(config: EncoderConfig, tokenizer: Tokenizer | None) -> Encoder:
    if tokenizer is None:
        raise ValueError(
            f"An encoder from scratch needs a tokenizer, trained on its texts. Received: {config.encoder!r} alone."
        )
    sizes: dict[str, Any] = dict(PRESETS[config.encoder])
    sizes |= {name: getattr(config, name) for name in _SIZES if getattr(config, name) is not None}
    if config.architecture in FACTORISED:
        sizes.setdefault("embedding", sizes["hidden"] // 2)
    elif sizes.setdefault("embedding", sizes["hidden"]) != sizes["hidden"]:
        raise ValueError(
            f"Only {' and '.join(FACTORISED)} have embeddings of another size than their layers. "
            f"Received: {sizes['embedding']} and {sizes['hidden']} for {config.architecture}."
        )
    backbone = BackboneConfig(architecture=config.architecture, vocab_size=vocab_size(tokenizer), **sizes)
    return _encoder(build_backbone(backbone), tokenizer, config.dropout)


def _encoder(model: Any, tokenizer: Tokenizer, dropout: float | None) -> Encoder:
    """What the model's layers say of it."""
    rows = _find(model, "ReversibleEmbedding").input_dim
    if vocab_size(tokenizer) > rows:
        raise ValueError(
            f"An encoder must have an embedding for every id of its tokenizer. Received: {rows} embeddings for "
            f"{vocab_size(tokenizer)} ids. The tokenizer is that of another model."
        )
    settings = model.get_config()
    if dropout is not None:
        set_dropout(settings, dropout)
    return Encoder(
        tokenizer,
        _find(model, "PositionEmbedding").sequence_length,
        "segment_ids" in model.input,
        model.output.shape[-1],
        sum(len(layer["inbound_nodes"]) for layer in settings["layers"] if layer["class_name"] == "TransformerEncoder"),
        rows,
        settings,
        model.get_weights(),
    )


def _find(model: Any, class_name: str) -> Any:
    """The model's layer of a class, wherever it is."""
    return next(layer for layer in model._flatten_layers() if type(layer).__name__ == class_name)

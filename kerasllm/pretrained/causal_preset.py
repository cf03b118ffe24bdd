"""Decoders from a KerasHub preset: a local folder that `save_to_preset` wrote, or the name of one on a server."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from tokenizers import Tokenizer

from ..extras import require
from ..models.causal_models import FAMILIES, DecoderArchitecture, DecoderShape, build_causal_lm
from .kerashub import is_preset_name
from .settings import read_json
from .vocabularies import make_byte_pairs

# KerasHub's backbones; Llama 3 has the layers of Llama.
ARCHITECTURES = {f"{family}Backbone": name for name, family in FAMILIES.items()} | {"Llama3Backbone": "llama"}
_CONTEXT = 1024  # of a preset that does not say: what KerasHub's preprocessors read


def is_causal_preset(name: str) -> bool:
    """Whether a name can only be that of a decoder's preset on a server."""
    return is_preset_name(name, ARCHITECTURES)


def read_causal_preset(preset: str) -> tuple[DecoderShape, list[np.ndarray], Tokenizer | None]:
    """Loads a decoder of KerasHub.

    Args:
        preset: A folder, or a name as KerasHub takes it.

    Returns:
        Its numbers; the weights of the model that `build_causal_lm` makes of them; and its tokenizer, None where it
        cannot be read exactly, as everywhere but with GPT-2.

    Raises:
        ValueError: It is not of a known architecture, or damaged, or cannot be reached.
    """
    load_json = require("train", "keras_hub.src.utils.preset_utils").load_json
    try:
        settings = read_json(Path(preset) / "config.json") if Path(preset).is_dir() else load_json(preset)
        if settings.get("class_name") not in ARCHITECTURES:
            raise ValueError(
                f"A preset must be of a known architecture ({', '.join(ARCHITECTURES)}). Received: {preset}, of "
                f"{settings.get('class_name')!r}. A model of Hugging Face is read from a folder that it is saved in."
            )
        backbone = _backbone(preset, settings)
        shape = backbone_shape(backbone, preset, _context(preset))
        tokenizer = _tokenizer(preset) if shape.architecture == "gpt2" else None
    except (OSError, KeyError, TypeError) as error:
        raise ValueError(f"A preset must be whole and within reach. Received: {preset}: {error}.") from error
    model = build_causal_lm(shape)
    model.backbone.set_weights(backbone.get_weights())
    return shape, model.get_weights(), tokenizer


def backbone_shape(backbone: Any, source: str, context: int) -> DecoderShape:
    """The numbers of a backbone of KerasHub.

    Args:
        backbone: One of gpt2, llama, llama3, mistral, qwen (2) or qwen3.
        source: Where it came from, for people to read.
        context: Most tokens that it can read, where it has rotary positions and does not say.

    Raises:
        ValueError: It is of another class.
    """
    architecture = ARCHITECTURES.get(type(backbone).__name__)
    if architecture is None:
        raise ValueError(
            f"A decoder's backbone must be one of {', '.join(ARCHITECTURES)}. Received: {type(backbone).__name__}."
        )
    heads = backbone.num_heads if architecture == "gpt2" else backbone.num_query_heads
    return DecoderShape(
        decoder=source,
        architecture=cast(DecoderArchitecture, architecture),
        vocab_size=backbone.vocabulary_size,
        layers=backbone.num_layers,
        heads=heads,
        kv_heads=heads if architecture == "gpt2" else backbone.num_key_value_heads,
        head_size=getattr(backbone, "head_dim", None) or backbone.hidden_dim // heads,
        hidden=backbone.hidden_dim,
        intermediate=backbone.intermediate_dim,
        context=getattr(backbone, "max_sequence_length", context),
        tied=backbone.token_embedding.tie_weights,
        dropout=backbone.dropout,
        **({} if architecture == "gpt2" else _rotary(backbone, architecture)),
    )


def _rotary(backbone: Any, architecture: str) -> dict[str, Any]:
    """Norms, rotary positions and window of all but gpt2."""
    if getattr(backbone, "use_sliding_window_attention", False):
        raise ValueError("A qwen2 must have full attention to be built here. Received: one with a sliding window.")
    numbers = {"epsilon": backbone.layer_norm_epsilon, "rope_theta": float(backbone.rope_max_wavelength)}
    if architecture != "llama":
        numbers["rope_factor"] = float(backbone.rope_scaling_factor)
        return numbers | ({"window": backbone.sliding_window} if architecture == "mistral" else {})
    if backbone.rope_low_freq_factor is not None:
        numbers |= {
            "rope_factor": float(backbone.rope_frequency_adjustment_factor),
            "rope_low": backbone.rope_low_freq_factor,
            "rope_high": backbone.rope_high_freq_factor,
            "rope_original": backbone.rope_pretraining_sequence_length,
        }
    return numbers


def _backbone(preset: str, settings: Mapping[str, Any]) -> Any:
    """The backbone with its weights; the configuration of a Llama does not say whether its matrices are tied."""
    hub = require("train", "keras_hub").models
    if ARCHITECTURES[settings["class_name"]] != "llama":
        return hub.Backbone.from_preset(preset, dtype="float32")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of what is missing, before the error that says so
            return hub.Backbone.from_preset(preset, dtype="float32")
    except ValueError:
        return hub.Backbone.from_preset(preset, dtype="float32", tie_word_embeddings=True)


def _context(preset: str) -> int:
    """What its preprocessor reads at once, if it has one."""
    file = Path(preset) / "preprocessor.json"
    settings = read_json(file).get("config", {}) if file.is_file() else {}
    return int(settings.get("sequence_length") or _CONTEXT)


def _tokenizer(preset: str) -> Tokenizer | None:
    """GPT-2's; KerasHub splits the texts of other architectures not quite as they were pretrained."""
    if Path(preset).is_dir() and not (Path(preset) / "tokenizer.json").is_file():
        return None
    tokenizer = require("train", "keras_hub").models.Tokenizer.from_preset(preset)
    return make_byte_pairs(dict(tokenizer.vocabulary), tokenizer.merges)

"""Decoders from a local folder of Hugging Face: config.json, safetensors and a tokenizer, each held to the others."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..models.causal_models import DecoderShape
from .causal_names import Place, weight_places
from .causal_settings import decoder_shape
from .settings import read_json
from .tensors import Tensors, check_tensors, open_tensors
from .vocabularies import folder_tokenizer

_PREFIXES = ("model.", "transformer.")
_BODY = ("wte.", "wpe.", "h.", "ln_f.", "embed_tokens.", "layers.", "norm.")
_BUFFERS = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)|(layers\.\d+\.self_attn\.)?rotary_emb\.inv_freq")  # computed


@dataclass(frozen=True)
class PretrainedDecoder:
    """A folder of Hugging Face, whose parts fit each other.

    Attributes:
        shape: What its config.json says.
        tokenizer: Its own.
        tensors: Its weights.
        names: Name of each tensor without prefix to its name in the file.
        places: Place of each variable of Keras among them.
    """

    shape: DecoderShape
    tokenizer: Tokenizer
    tensors: Tensors
    names: Mapping[str, str]
    places: Mapping[str, Place]

    def weights(self, model: Any) -> list[np.ndarray]:
        """The weights of a model that `build_causal_lm` made of `shape`: float32, in its order and its shapes."""
        return [self._weight(variable.path).reshape(variable.shape) for variable in model.weights]

    def _weight(self, path: str) -> np.ndarray:
        place = self.places[path]
        return place.values(self.tensors.load(self.names[place.tensor]))


def read_causal_folder(folder: Path) -> PretrainedDecoder:
    """Reads a folder of Hugging Face.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: It is of another architecture, its tokenizer is damaged, or its weights are pickled, quantized,
            damaged, missing, too many or of other shapes than its config.json says.
    """
    settings = read_json(folder / "config.json")
    if settings.get("quantization_config"):
        raise ValueError(
            f"A folder must hold floating-point weights. Received: {folder}, whose config.json has a "
            "quantization_config. Take the folder that it was quantized from; export quantizes by itself."
        )
    shape = decoder_shape(settings, folder)
    tensors = open_tensors(folder)
    names = _names(tensors)
    places = weight_places(shape)
    body = {name for name in names if name.startswith(_BODY) and not _BUFFERS.fullmatch(name)}
    check_tensors(tensors, names, {place.tensor: place.shape for place in places.values()}, body)
    return PretrainedDecoder(shape, folder_tokenizer(folder, shape.architecture), tensors, names, places)


def _names(tensors: Tensors) -> dict[str, str]:
    """Name of each tensor without prefix to its name in the file."""
    names: dict[str, str] = {}
    for name in tensors.files:
        plain = name
        for prefix in _PREFIXES:
            plain = plain.removeprefix(prefix)
        if plain in names:
            raise ValueError(
                f"A weight must be there once. Received: {tensors.folder}, with {names[plain]!r} and {name!r}."
            )
        names[plain] = name
    return names

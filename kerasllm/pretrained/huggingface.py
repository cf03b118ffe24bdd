"""Encoders from a local folder of Hugging Face: config.json, safetensors and a tokenizer, each held to the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..models.backbones import BackboneConfig
from .settings import backbone_config, read_json
from .tensors import Tensors, check_tensors, open_tensors
from .vocabularies import folder_tokenizer
from .weight_names import tensor_name, tensor_shapes

_SEGMENTS, _POSITIONS = "embeddings.token_type_embeddings.weight", "embeddings.position_embeddings.weight"
# What belongs to the encoder itself; other tensors are those of heads, or the pooler, which is a head's too.
_BODY = ("embeddings.", "embeddings_project.", "encoder.", "transformer.")
_BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")  # counted up, not trained


@dataclass(frozen=True)
class Pretrained:
    """A folder of Hugging Face, whose parts fit each other.

    Attributes:
        config: What its config.json says.
        tokenizer: Its own.
        tensors: Its weights.
        names: Name of each tensor without prefix, as of today, to its name in the file.
        first_position: Row of the table of positions that the first token gets.
    """

    config: BackboneConfig
    tokenizer: Tokenizer
    tensors: Tensors
    names: Mapping[str, str]
    first_position: int

    def weights(self, model: Any) -> list[np.ndarray]:
        """The weights of a model that `build_backbone` made of `config`: float32, in its order and its shapes."""
        return [self._weight(variable.path).reshape(variable.shape) for variable in model.weights]

    def _weight(self, path: str) -> np.ndarray:
        """A Keras variable's values; the heads of attention are still side by side."""
        name = tensor_name(self.config.architecture, path)
        tensor = self._load(name)
        if name == _POSITIONS:
            tensor = tensor[self.first_position :]
            if self.config.architecture == "roberta":  # it has one kind of segment, so its vector goes to every token
                tensor = tensor + self._load(_SEGMENTS)[0]
        return tensor.T if path.endswith("kernel") else tensor

    def _load(self, name: str) -> np.ndarray:
        return self.tensors.load(self.names[name])


def read_pretrained(folder: Path) -> Pretrained:
    """Reads a folder of Hugging Face.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: It is of another architecture, its tokenizer is damaged, or its weights are pickled, damaged,
            missing, too many or of other shapes than its config.json says.
    """
    settings = read_json(folder / "config.json")
    config = backbone_config(settings, folder)
    # RoBERTa counts positions from the id of its padding on, so its first rows are never used.
    first = int(settings.get("pad_token_id", 1)) + 1 if config.architecture == "roberta" else 0
    tensors = open_tensors(folder)
    names = _names(tensors, config.architecture)
    body = {name for name in names if name.startswith(_BODY) and name not in _BUFFERS}
    check_tensors(tensors, names, tensor_shapes(config, config.positions + first), body)
    tokenizer = folder_tokenizer(folder, config.architecture)
    return Pretrained(config, tokenizer, tensors, names, first)


def _names(tensors: Tensors, architecture: str) -> dict[str, str]:
    """Name of each tensor without the architecture's prefix, and as of today, to its name in the file."""
    names: dict[str, str] = {}
    for name in tensors.files:
        plain = name.removeprefix(f"{architecture}.")
        plain = plain.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        if plain in names:
            raise ValueError(
                f"A weight must be there once. Received: {tensors.folder}, with {names[plain]!r} and {name!r}."
            )
        names[plain] = name
    return names

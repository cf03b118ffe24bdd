"""Encoders from a local folder of Hugging Face: config.json, safetensors and a tokenizer, each held to the others."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from .backbones import BackboneConfig
from .extras import require
from .tokenizer import load_tokenizer
from .weight_names import tensor_name


@dataclass(frozen=True)
class Pretrained:
    """A folder of Hugging Face, read and checked.

    Attributes:
        config: What its config.json says.
        tokenizer: Its own.
        tensors: Its weights by Hugging Face's names, without the architecture's prefix.
    """

    config: BackboneConfig
    tokenizer: Tokenizer
    tensors: dict[str, np.ndarray]

    def weights(self, model: Any) -> list[np.ndarray]:
        """The model's weights, in its order and its shapes."""
        arrays = []
        for variable in model.weights:
            tensor = self.tensors[tensor_name(self.config.architecture, variable.path)]
            matrix = variable.path.endswith("kernel")
            arrays.append((tensor.T if matrix else tensor).reshape(variable.shape))
        return arrays


def is_huggingface_folder(folder: Path) -> bool:
    """Whether a folder's config.json is one of Hugging Face."""
    file = folder / "config.json"
    return file.is_file() and "model_type" in json.loads(file.read_text(encoding="utf-8"))


def read_pretrained(folder: Path) -> Pretrained:
    """Reads a folder of Hugging Face."""
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = BackboneConfig(
        architecture=settings["model_type"],
        vocab_size=settings["vocab_size"],
        layers=settings["num_hidden_layers"],
        heads=settings["num_attention_heads"],
        hidden=settings["hidden_size"],
        intermediate=settings["intermediate_size"],
        embedding=settings["hidden_size"],
        positions=settings["max_position_embeddings"],
        segments=settings["type_vocab_size"],
        dropout=settings["hidden_dropout_prob"],
        epsilon=settings["layer_norm_eps"],
    )
    tensors = require("train", "safetensors.numpy").load_file(folder / "model.safetensors")
    return Pretrained(config, load_tokenizer(folder / "tokenizer.json"), tensors)

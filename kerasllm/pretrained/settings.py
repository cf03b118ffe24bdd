"""A config.json of Hugging Face as the backbone that it describes, or a sentence that says why there is none."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from ..models.backbones import FACTORISED, Activation, Architecture, BackboneConfig

# Hugging Face's names of activations. The three tanh forms differ by rounding alone.
_ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_DISTILBERT = {
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "hidden_size": "dim",
    "intermediate_size": "hidden_dim",
    "hidden_dropout_prob": "dropout",
    "hidden_act": "activation",
}


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"A folder must hold a {path.name}. Received: {path.parent}, which has none."
        ) from error
    except ValueError as error:
        raise ValueError(f"A {path.name} must be JSON. Received: {path}, broken: {error}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"A {path.name} must hold a JSON object. Received: {path}, with {type(content).__name__}.")
    return content


def backbone_config(settings: Mapping[str, Any], folder: Path) -> BackboneConfig:
    """The backbone that a config.json describes.

    Args:
        settings: Its content.
        folder: Where it lies, for what errors say.

    Raises:
        ValueError: It describes another architecture, or a kind of this one that is not built here, or lacks a size.
    """
    architecture = settings.get("model_type")
    if architecture not in get_args(Architecture):
        raise ValueError(
            f"An encoder must be of a known architecture ({', '.join(get_args(Architecture))}). "
            f"Received: model_type {architecture!r} in {folder / 'config.json'}."
        )
    reader = SettingsReader(settings, folder, _DISTILBERT if architecture == "distilbert" else {})
    reader.refuse("position_embedding_type", "absolute")
    reader.refuse("is_decoder", False)
    reader.refuse("inner_group_num", 1)
    hidden = reader.size("hidden_size")
    positions = reader.size("max_position_embeddings")
    if architecture == "roberta":
        positions -= int(settings.get("pad_token_id", 1)) + 1
    return BackboneConfig(
        architecture=cast(Architecture, architecture),
        vocab_size=reader.size("vocab_size"),
        layers=reader.size("num_hidden_layers", most=1000),
        heads=reader.size("num_attention_heads"),
        hidden=hidden,
        intermediate=reader.size("intermediate_size"),
        embedding=reader.size("embedding_size") if architecture in FACTORISED else hidden,
        positions=positions,
        segments=reader.size("type_vocab_size", 1 if architecture == "roberta" else 2),
        groups=reader.size("num_hidden_groups", 1, most=1000),
        dropout=float(reader.value("hidden_dropout_prob", 0.1)),
        activation=_activation(reader, "gelu_new" if architecture == "albert" else "gelu"),
        epsilon=float(settings.get("layer_norm_eps", 1e-12)),
    )


class SettingsReader:
    """Reads values of a config.json under the names that BERT gives them."""

    def __init__(self, settings: Mapping[str, Any], folder: Path, names: Mapping[str, str]) -> None:
        self.settings, self.file, self.names = settings, folder / "config.json", names

    def value(self, name: str, default: Any = None) -> Any:
        """What it says, whatever it is."""
        return self.settings.get(self.names.get(name, name), default)

    def size(self, name: str, default: int | None = None, most: int = 2**24) -> int:
        """A whole number from 1 to `most`, beyond which no model goes; null is as if it said nothing."""
        value = self.value(name)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise ValueError(
                f"A config.json must say the model's sizes as whole numbers, here from 1 to {most}. "
                f"Received: {self.names.get(name, name)} {value!r} in {self.file}."
            )
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """A number that is not negative; null is as if it said nothing."""
        value = self.value(name)
        value = default if value is None else value
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise ValueError(
                "A config.json must say numbers as such, none below 0. "
                f"Received: {self.names.get(name, name)} {value!r} in {self.file}."
            )
        return float(value)

    def refuse(self, name: str, *known: Any) -> None:
        """Refuses a kind of model that would be built wrongly: all but `known`, the first of which is the usual one."""
        value = self.value(name, known[0])
        if value not in known:
            raise ValueError(
                f"A model's {self.names.get(name, name)} must be {' or '.join(map(repr, known))} to be built here. "
                f"Received: {value!r} in {self.file}."
            )


def _activation(reader: SettingsReader, default: str) -> Activation:
    name = reader.value("hidden_act", default)
    if name not in _ACTIVATIONS:
        raise ValueError(
            f"An encoder's activation must be one of {', '.join(_ACTIVATIONS)}. Received: {name!r} in {reader.file}."
        )
    return _ACTIVATIONS[name]

"""Encoders from a KerasHub preset: a local folder that `save_to_preset` wrote, or the name of one on a server."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..extras import require
from ..models.backbones import plain_model
from ..tokenizing.bert_tokenizer import make_bert_tokenizer
from .settings import read_json
from .vocabularies import make_byte_pairs

_BACKBONES = ("BertBackbone", "DistilBertBackbone", "RobertaBackbone", "AlbertBackbone", "ElectraBackbone")
_SCHEMES = ("kaggle://", "hf://", "modelscope://")


def is_preset_name(name: str, backbones: Iterable[str] = _BACKBONES) -> bool:
    """Whether a name can only be that of a preset on a server, with one of these backbones."""
    if name.startswith(_SCHEMES):
        return True
    hub = require("train", "keras_hub").models
    return any(name in getattr(hub, backbone).presets for backbone in backbones)


def read_preset(preset: str) -> tuple[Any, Tokenizer | None]:
    """Loads an encoder of KerasHub.

    Args:
        preset: A folder, or a name as KerasHub takes it.

    Returns:
        The encoder as `plain_model` gives it, and its tokenizer;
        None where there is none that can be read exactly.

    Raises:
        ValueError: It is not of a known architecture, or damaged, or cannot be reached.
    """
    hub = require("train", "keras_hub").models
    try:
        from keras_hub.src.utils.preset_utils import load_json

        settings = read_json(Path(preset) / "config.json") if Path(preset).is_dir() else load_json(preset)
        if settings.get("class_name") not in _BACKBONES:
            raise ValueError(
                f"A preset must be of a known architecture ({', '.join(_BACKBONES)}). Received: {preset}, of "
                f"{settings.get('class_name')!r}. A model of Hugging Face is read from a folder that it is saved in."
            )
        model = plain_model(hub.Backbone.from_preset(preset, dtype="float32"))
        bare = Path(preset).is_dir() and not (Path(preset) / "tokenizer.json").is_file()
        return model, None if bare else _tokenizer(hub.Tokenizer.from_preset(preset))
    except (OSError, KeyError, TypeError) as error:
        raise ValueError(f"A preset must be whole and within reach. Received: {preset}: {error}.") from error


def _tokenizer(tokenizer: Any) -> Tokenizer | None:
    """The same vocabulary, split as the encoder was pretrained: BERT takes accents off where it lower-cases."""
    hub = require("train", "keras_hub")
    if isinstance(tokenizer, hub.tokenizers.WordPieceTokenizer):
        chinese = tokenizer.split_on_cjk
        return make_bert_tokenizer(tokenizer.get_vocabulary(), lowercase=tokenizer.lowercase, chinese=chinese)
    if isinstance(tokenizer, hub.tokenizers.BytePairTokenizer):
        return make_byte_pairs(dict(tokenizer.vocabulary), tokenizer.merges, roberta=True)
    return None

"""Decoders to train and to write with: from scratch, a folder of Hugging Face, a KerasHub preset, or a RUN."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from tokenizers import Tokenizer

from ..checks import check_least, check_shares
from ..pretrained.causal_folder import read_causal_folder
from ..pretrained.causal_preset import is_causal_preset, read_causal_preset
from ..pretrained.settings import read_json
from ..run import Run, from_settings, open_run
from ..tokenizing.tokenizer import tokenizer_json, vocab_size
from .causal_models import DecoderArchitecture, DecoderShape, build_causal_lm

# Layers, heads, width and context of decoders that train on a CPU.
DECODER_PRESETS = {
    "nano": {"layers": 4, "heads": 4, "hidden": 128, "context": 128},
    "micro": {"layers": 6, "heads": 8, "hidden": 256, "context": 256},
    "small": {"layers": 8, "heads": 8, "hidden": 512, "context": 512},
}
_DEVIATION = 0.02  # of weights that are drawn
_SIZES = ("layers", "heads", "kv_heads", "hidden", "intermediate", "context")


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Which decoder, and of what size where it starts from scratch."""

    decoder: str = "nano"
    """nano, micro or small (from scratch), a Hugging Face, KerasHub or RUN folder, or the name of a KerasHub preset."""
    architecture: DecoderArchitecture | None = None
    """Layers, from scratch, as this family of models has them (default: llama)."""
    layers: int | None = None
    """Transformer layers, from scratch (default: the preset's)."""
    heads: int | None = None
    """Attention heads of a layer, from scratch (default: the preset's)."""
    kv_heads: int | None = None
    """Heads of keys and values that the attention heads share in groups, from scratch (default: as many)."""
    hidden: int | None = None
    """Numbers a token is in every layer, from scratch (default: the preset's)."""
    intermediate: int | None = None
    """Width inside a layer's feed-forward part, from scratch (default: 4 times `hidden`, or 8/3 where it is gated)."""
    context: int | None = None
    """Most tokens that can be read at once, from scratch (default: the preset's)."""
    tied: bool | None = None
    """Whether the output matrix is the embedding, from scratch (default: wherever the architecture can)."""
    dropout: float | None = None
    """Share of values hidden in training, 0 to 1 (default: the decoder's own; none from scratch)."""

    def __post_init__(self) -> None:
        check_least(self, 1, *_SIZES)
        check_shares(self, "dropout")
        given = [name for name in (*_SIZES, "architecture", "tied") if getattr(self, name) is not None]
        if given and self.decoder not in DECODER_PRESETS:
            raise ValueError(
                f"Sizes can be set from scratch only ({', '.join(DECODER_PRESETS)}). "
                f"Received: {', '.join(given)} for {self.decoder!r}, which has its own. Leave them out."
            )


@dataclass(frozen=True, eq=False)
class Decoder:
    """A decoder with its weights and its tokenizer; `open_decoder` makes one.

    Attributes:
        tokenizer: Its own tokenizer, with no padding and no truncation set.
        shape: Its numbers; the "decoder" section of a RUN's config.json holds them.
    """

    tokenizer: Tokenizer = field(repr=False)
    shape: DecoderShape
    _weights: list[np.ndarray] = field(repr=False)

    @property
    def context(self) -> int:
        """Most tokens that it can read at once."""
        return self.shape.context

    @property
    def vocab_size(self) -> int:
        """Rows of its embedding: token ids are below it."""
        return self.shape.vocab_size

    @property
    def layers(self) -> int:
        """Transformer layers."""
        return self.shape.layers

    @property
    def heads(self) -> int:
        """Attention heads of a layer."""
        return self.shape.heads

    @property
    def kv_heads(self) -> int:
        """Heads of keys and values of a layer."""
        return self.shape.kv_heads

    @property
    def head_size(self) -> int:
        """Numbers a token is in a head."""
        return self.shape.head_size

    @property
    def hidden(self) -> int:
        """Numbers a token is in every layer."""
        return self.shape.hidden

    def model(self) -> Any:
        """A new model with the decoder's weights: the same ones at every call.

        Returns:
            A `keras_hub.models.CausalLM` without preprocessor, from `token_ids`, `padding_mask`, int32
            [batch, sequence], to logits, float32 [batch, sequence, vocab_size].
        """
        model = build_causal_lm(self.shape)
        model.set_weights(self._weights)
        return model

    def check_length(self, max_length: int) -> None:
        """Refuses to read more tokens at once than the decoder's context holds."""
        if max_length > self.context:
            raise ValueError(
                f"`max_length` must be at most the decoder's context of {self.context} tokens. Received: {max_length}."
            )


def open_decoder(config: DecoderConfig, tokenizer: Tokenizer | None = None) -> Decoder:
    """Opens a decoder: its weights are read and checked, or drawn.

    Args:
        config: Which one.
        tokenizer: What a decoder from scratch reads and writes texts with (`train_decoder_tokenizer` trains one), or a
            preset whose own cannot be read. Other decoders have their own.

    Returns:
        The decoder.

    Raises:
        FileNotFoundError: There is no such folder, or a file of it is missing.
        ValueError: The folder is damaged or not one of a decoder, or its parts contradict each other.
    """
    if config.decoder in DECODER_PRESETS:
        return _from_scratch(config, tokenizer)
    shape, weights, own = _pretrained(config.decoder)
    if own is not None and tokenizer is not None and tokenizer_json(own) != tokenizer_json(tokenizer):
        raise ValueError(f"A pretrained decoder has its own tokenizer. Received: another one for {config.decoder}.")
    own = own or tokenizer
    if own is None:
        raise ValueError(f"A decoder needs its tokenizer.json. Received: {config.decoder}, which has none to read.")
    if config.dropout is not None:
        shape = replace(shape, dropout=config.dropout)
    _check_vocabulary(shape, own)
    return Decoder(own, shape, weights)


def load_causal_lm(run: Run) -> Any:
    """The best epoch's model of a RUN for text-generation, as `Decoder.model` describes it.

    Raises:
        ValueError: The run is of another task, or its parts do not fit each other.
    """
    if run.task != "text-generation" or "decoder" not in run.config:
        raise ValueError(f"A decoder's run must be one for text-generation. Received: {run.path}, for {run.task}.")
    try:
        model = build_causal_lm(from_settings(DecoderShape, run.config["decoder"]))
        model.load_weights(run.path / "model.keras")
    except (TypeError, ValueError, OSError, BadZipFile) as error:
        raise ValueError(
            "A run's model.keras must hold the weights that the decoder section of its config.json asks for. "
            f"Received: {run.path}, where they do not fit."
        ) from error
    return model


def _pretrained(source: str) -> tuple[DecoderShape, list[np.ndarray], Tokenizer | None]:
    """Numbers, weights and tokenizer of a folder or a preset."""
    folder = Path(source)
    if not folder.is_dir():
        if is_causal_preset(source):
            return read_causal_preset(source)
        raise FileNotFoundError(
            f"A decoder must be {', '.join(DECODER_PRESETS)}, a folder, or the name of a KerasHub preset. "
            f"Received: {source!r}, which is none of them."
        )
    settings = read_json(folder / "config.json")
    if "format" in settings:
        run = open_run(folder)
        weights = load_causal_lm(run).get_weights()
        shape = from_settings(DecoderShape, run.config["decoder"])
        return replace(shape, decoder=source), weights, run.load_tokenizer()
    if "class_name" in settings:
        return read_causal_preset(source)
    pretrained = read_causal_folder(folder)
    weights = pretrained.weights(build_causal_lm(pretrained.shape))
    return pretrained.shape, weights, pretrained.tokenizer


def _from_scratch(config: DecoderConfig, tokenizer: Tokenizer | None) -> Decoder:
    if tokenizer is None:
        raise ValueError(
            f"A decoder from scratch needs a tokenizer, trained on its texts. Received: {config.decoder!r} alone."
        )
    sizes = dict(DECODER_PRESETS[config.decoder])
    sizes |= {name: getattr(config, name) for name in _SIZES if getattr(config, name) is not None}
    architecture = config.architecture or "llama"
    if sizes["hidden"] % (8 * sizes["heads"]):
        raise ValueError(
            "The hidden size must be a multiple of 8 times the attention heads, for what decoders are exported to "
            f"takes no others. Received: {sizes['hidden']} and {sizes['heads']}."
        )
    sizes.setdefault("kv_heads", sizes["heads"])
    sizes.setdefault("intermediate", _intermediate(architecture, sizes["hidden"]))
    shape = DecoderShape(
        decoder=config.decoder,
        architecture=architecture,
        vocab_size=vocab_size(tokenizer),
        head_size=sizes["hidden"] // sizes["heads"],
        tied=architecture != "mistral" if config.tied is None else config.tied,
        dropout=config.dropout or 0.0,
        **sizes,
    )
    return Decoder(tokenizer, shape, _drawn(shape))


def _drawn(shape: DecoderShape) -> list[np.ndarray]:
    """Weights to start from: those of Radford et al. 2019 (GPT-2) for all architectures.

    What is added to the hidden states is drawn the smaller the more layers add to them, and token embeddings as large
    as all other weights; KerasHub does neither. Both learn faster (benchmarks/LOG.md).
    """
    model = build_causal_lm(shape)
    weights = []
    for variable, values in zip(model.weights, model.get_weights(), strict=True):
        if variable.path.endswith(("attention_output/kernel", "feedforward_output_dense/kernel")):
            values = values / np.float32(math.sqrt(2 * shape.layers))
        elif variable.path == "token_embedding/embeddings":
            values = values * np.float32(_DEVIATION / values.std())
        weights.append(values)
    return weights


def _intermediate(architecture: str, hidden: int) -> int:
    """As many weights with three matrices as with two of 4 times the width; whole blocks of 32 quantize well."""
    return 4 * hidden if architecture == "gpt2" else -(-8 * hidden // (3 * 32)) * 32


def _check_vocabulary(shape: DecoderShape, tokenizer: Tokenizer) -> None:
    if vocab_size(tokenizer) > shape.vocab_size:
        raise ValueError(
            f"A decoder must have an embedding for every id of its tokenizer. Received: {shape.vocab_size} embeddings "
            f"for {vocab_size(tokenizer)} ids. The tokenizer is that of another model."
        )

"""Causal language models of KerasHub's layers, from the numbers that describe them.

A decoder's numbers are all that a RUN keeps of its architecture: KerasHub's own configurations forget some of them, so
a model is always built anew and then given its weights.
"""

from dataclasses import dataclass
from typing import Any, Literal

from ..extras import require

DecoderArchitecture = Literal["gpt2", "llama", "mistral", "qwen2", "qwen3"]
# What KerasHub calls them.
FAMILIES = {"gpt2": "GPT2", "llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen", "qwen3": "Qwen3"}
_OWN_HEAD_SIZE = ("mistral", "qwen3")  # architectures whose heads need not share the hidden size out among them


@dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """The numbers that make an architecture a model."""

    decoder: str
    """What it was opened from, for people to read."""
    architecture: DecoderArchitecture
    """Layers as this family of models has them: gpt2 (Radford et al. 2019) has learned positions, LayerNorm and GELU;
    the others (Touvron et al. 2023, Llama) have rotary ones, RMSNorm, SwiGLU and grouped heads."""
    vocab_size: int
    """Rows of the embedding: token ids are below it."""
    layers: int
    """Transformer layers."""
    heads: int
    """Attention heads of a layer."""
    kv_heads: int
    """Heads of keys and values, which groups of the attention heads share."""
    head_size: int
    """Numbers a token is in a head."""
    hidden: int
    """Numbers a token is in every layer."""
    intermediate: int
    """Width inside a layer's feed-forward part."""
    context: int
    """Most tokens that can be read at once."""
    tied: bool
    """Whether the output matrix is the embedding."""
    dropout: float = 0.0
    """Share of values hidden in training, 0 to 1."""
    epsilon: float = 1e-5
    """What the norms add to the variance."""
    rope_theta: float = 10_000.0
    """Base of the wavelengths of rotary positions (Su et al. 2021), all but gpt2."""
    rope_factor: float = 1.0
    """Rotary positions are divided by it; where the next three are set, only in long wavelengths, as Llama 3.1 does."""
    rope_low: float | None = None
    """Wavelengths above `rope_original` / `rope_low` are stretched by the whole `rope_factor`."""
    rope_high: float | None = None
    """Wavelengths below `rope_original` / `rope_high` are left as they are."""
    rope_original: int | None = None
    """Context before the stretching, in tokens."""
    window: int | None = None
    """Tokens that attention looks back on, itself among them, mistral only; None: all."""

    def __post_init__(self) -> None:
        architecture = self.architecture
        if self.heads % self.kv_heads or (architecture == "gpt2" and self.heads != self.kv_heads):
            raise ValueError(
                "Attention heads must be a multiple of the heads of keys and values, and for gpt2 as many. "
                f"Received: {self.heads} and {self.kv_heads} for {architecture}."
            )
        if architecture not in _OWN_HEAD_SIZE and self.heads * self.head_size != self.hidden:
            raise ValueError(
                f"Heads must share the hidden size out among them, but for {' and '.join(_OWN_HEAD_SIZE)}. "
                f"Received: {self.heads} heads of {self.head_size} and a hidden size of {self.hidden}."
            )
        if architecture != "gpt2" and self.head_size % 2:
            raise ValueError(f"Rotary positions need heads of an even size. Received: {self.head_size}.")
        if (architecture == "gpt2" and not self.tied) or (architecture == "mistral" and self.tied):
            raise ValueError(
                "The output matrix of gpt2 must be the embedding, and that of mistral must not. "
                f"Received: tied={self.tied} for {architecture}. Leave it out, or take llama."
            )
        _check_positions(self)


def _check_positions(shape: DecoderShape) -> None:
    """Refuses what KerasHub's layers of an architecture would quietly not do."""
    architecture = shape.architecture
    stretching = (shape.rope_low, shape.rope_high, shape.rope_original)
    given = sum(value is not None for value in stretching)
    linear = shape.rope_factor != 1 and not given
    if given not in (0, 3) or (given and architecture != "llama") or (linear and architecture in ("gpt2", "llama")):
        raise ValueError(
            "Rotary positions can be scaled as Llama 3.1 does in llama, and linearly in mistral, qwen2 and qwen3. "
            f"Received: {architecture} with rope_factor={shape.rope_factor}, rope_low={shape.rope_low}, "
            f"rope_high={shape.rope_high}, rope_original={shape.rope_original}."
        )
    if shape.window is not None and architecture != "mistral":
        raise ValueError(f"Only mistral has a window. Received: {shape.window} for {architecture}.")
    if architecture == "gpt2" and shape.epsilon != 1e-5:
        raise ValueError(f"The norms of gpt2 must add 1e-5. Received: {shape.epsilon}.")


def build_causal_lm(shape: DecoderShape) -> Any:
    """Builds a causal language model with fresh weights.

    Returns:
        A `keras_hub.models.CausalLM` without preprocessor, from `token_ids`, `padding_mask`, int32 [batch, sequence],
        to logits, float32 [batch, sequence, vocab_size].
    """
    hub = require("train", "keras_hub").models
    family = FAMILIES[shape.architecture]
    backbone = getattr(hub, f"{family}Backbone")(**_arguments(shape))
    for layer in backbone._flatten_layers():
        if type(layer).__name__ == "Qwen3LayerNorm":  # those of queries and keys are not told of it
            layer.epsilon = shape.epsilon
    return getattr(hub, f"{family}CausalLM")(backbone=backbone, preprocessor=None)


def _arguments(shape: DecoderShape) -> dict[str, Any]:
    """What the architecture's backbone of KerasHub takes."""
    sizes: dict[str, Any] = {
        "vocabulary_size": shape.vocab_size,
        "num_layers": shape.layers,
        "hidden_dim": shape.hidden,
        "intermediate_dim": shape.intermediate,
        "dropout": shape.dropout,
    }
    if shape.architecture == "gpt2":
        return sizes | {"num_heads": shape.heads, "max_sequence_length": shape.context}
    sizes |= {
        "num_query_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "layer_norm_epsilon": shape.epsilon,
        "rope_max_wavelength": shape.rope_theta,
    }
    if shape.architecture != "mistral":
        sizes["tie_word_embeddings"] = shape.tied
    if shape.architecture in _OWN_HEAD_SIZE:
        sizes["head_dim"] = shape.head_size
    return sizes | _positions(shape)


def _positions(shape: DecoderShape) -> dict[str, Any]:
    """How far attention sees, and how rotary positions are scaled."""
    if shape.architecture == "llama":
        if shape.rope_low is None:
            return {}
        return {
            "rope_frequency_adjustment_factor": shape.rope_factor,
            "rope_low_freq_factor": shape.rope_low,
            "rope_high_freq_factor": shape.rope_high,
            "rope_pretraining_sequence_length": shape.rope_original,
        }
    scaled = {"rope_scaling_factor": shape.rope_factor}
    if shape.architecture == "mistral":
        return scaled | {"sliding_window": shape.window}
    return scaled | ({"sliding_window_size": None} if shape.architecture == "qwen3" else {})

"""What is there in a KerasHub causal language model, by the same names for every family, and whether it is exact."""

from dataclasses import dataclass
from typing import Any, Literal

from ..errors import ExportError

Family = Literal["gpt2", "llama", "mistral", "qwen2", "qwen3"]
_FAMILIES: dict[str, Family] = {
    "GPT2CausalLM": "gpt2",
    "LlamaCausalLM": "llama",
    "Llama3CausalLM": "llama",
    "MistralCausalLM": "mistral",
    "QwenCausalLM": "qwen2",
    "Qwen3CausalLM": "qwen3",
}


@dataclass(frozen=True, kw_only=True)
class CausalParts:
    """A decoder's layers and sizes."""

    family: Family
    """The Hugging Face name of its architecture."""
    backbone: Any
    """The KerasHub backbone."""
    context: int
    """Most tokens of a text."""
    heads: int
    """Attention heads of a layer."""
    kv_heads: int
    """Heads of keys and values."""
    head_size: int
    """Numbers a token is in a head."""
    hidden: int
    """Numbers a token is in every layer."""
    intermediate: int
    """Width inside a layer's feed-forward part."""
    vocab_size: int
    """Rows of the embedding."""
    tied: bool
    """Whether the output matrix is the embedding."""
    epsilon: float
    """What the norms add to the variance."""

    @property
    def layers(self) -> list[Any]:
        """The transformer layers, in order."""
        return list(self.backbone.transformer_layers)


def is_causal_lm(model: Any) -> bool:
    """Whether a model is a KerasHub CausalLM, of any family."""
    return any(cls.__name__ == "CausalLM" and cls.__module__.startswith("keras_hub") for cls in type(model).__mro__)


def read_parts(model: Any, context: int | None = None) -> CausalParts:
    """Reads a decoder.

    Args:
        model: A KerasHub CausalLM.
        context: Most tokens of a text; None: as many as the model has positions for.

    Returns:
        Its parts.

    Raises:
        ExportError: Its family, or a part of it, has no exact form in the graph.
        ValueError: The context is missing, or longer than the model's positions.
    """
    name = type(model).__name__
    if not is_causal_lm(model) or name not in _FAMILIES:
        raise ExportError(
            f"A decoder must be one of KerasHub's {', '.join(_FAMILIES)}. Received: {name}. "
            "Its layers have no exact form in the graph: build the model as one of these."
        )
    backbone = model.backbone
    family, config = _FAMILIES[name], backbone
    attention = backbone.transformer_layers[0]._self_attention_layer
    heads, kv_heads = _heads(family, config)
    context = _context(family, backbone, context)
    parts = CausalParts(
        family=family,
        backbone=backbone,
        context=context,
        heads=heads,
        kv_heads=kv_heads,
        head_size=int(attention._query_dense.kernel.shape[-1]),
        hidden=int(backbone.hidden_dim),
        intermediate=int(backbone.intermediate_dim),
        vocab_size=int(backbone.token_embedding.input_dim),
        tied=bool(backbone.token_embedding.tie_weights),
        epsilon=1e-5 if family == "gpt2" else float(backbone.layer_norm_epsilon),
    )
    _check_head_size(parts)
    _check_window(parts)
    _check_precision(backbone)
    return parts


def _heads(family: Family, backbone: Any) -> tuple[int, int]:
    if family == "gpt2":
        return int(backbone.num_heads), int(backbone.num_heads)
    return int(backbone.num_query_heads), int(backbone.num_key_value_heads)


def _context(family: Family, backbone: Any, asked: int | None) -> int:
    places = int(backbone.position_embedding.sequence_length) if family == "gpt2" else None
    if places and asked and asked > places:
        raise ValueError(f"max_length must not be above the model's {places} positions. Received: {asked}.")
    if not (asked or places):
        raise ValueError(
            "A model with rotary positions does not say how many tokens it was trained to read at once. "
            "Received: no max_length. Give its context (max_length)."
        )
    return asked or places or 0


def _check_window(parts: CausalParts) -> None:
    """Attention in the graph sees all earlier tokens, so a window must hold the whole context."""
    for layer in parts.layers:
        attention = layer._self_attention_layer
        window = getattr(attention, "_sliding_window", None)
        if parts.family == "qwen3" or getattr(attention, "use_sliding_window_attention", False):
            window = attention.sliding_window_size
        if isinstance(window, int) and window < parts.context:
            raise ExportError(
                f"Attention must see the whole context of {parts.context} tokens. Received: the layer {layer.name!r}, "
                f"with a sliding window of {window}. Export with max_length={window}, below which both are the same."
            )


def _check_head_size(parts: CausalParts) -> None:
    if parts.head_size % 8:
        raise ExportError(
            f"Attention heads must be a multiple of 8 wide, as onnxruntime's GroupQueryAttention asks. Received: "
            f"{parts.head_size}. Train the model with another width or number of heads."
        )


def _check_precision(backbone: Any) -> None:
    for layer in backbone._flatten_layers():
        if getattr(layer, "quantization_mode", None):
            raise ExportError(
                f"Weights must be floats: the exporter quantizes them itself. Received: the layer {layer.name!r}, "
                f"quantized to {layer.quantization_mode}. Export the model before it is quantized."
            )
        if getattr(layer, "lora_enabled", False):
            raise ExportError(
                f"LoRA must be merged into the weights. Received: the layer {layer.name!r}, which keeps it apart. "
                "Save and load the run's model, or call kerasllm's merging, before export."
            )

"""A decoder's config.json of Hugging Face as the numbers of its architecture, or a sentence that says why not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

from ..models.causal_models import DecoderArchitecture, DecoderShape
from .settings import SettingsReader

_GPT2 = {
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "hidden_size": "n_embd",
    "intermediate_size": "n_inner",
    "max_position_embeddings": "n_positions",
    "hidden_act": "activation_function",
}
_WINDOW = 4096  # of a mistral that does not say


def decoder_shape(settings: Mapping[str, Any], folder: Path) -> DecoderShape:
    """The decoder that a config.json describes.

    Args:
        settings: Its content.
        folder: Where it lies, for what errors say.

    Raises:
        ValueError: It describes another architecture, or a kind of this one that KerasHub's layers are not, or lacks a
            size.
    """
    architecture = settings.get("model_type")
    if architecture not in get_args(DecoderArchitecture):
        raise ValueError(
            f"A decoder must be of a known architecture ({', '.join(get_args(DecoderArchitecture))}). "
            f"Received: model_type {architecture!r} in {folder / 'config.json'}."
        )
    architecture = cast(DecoderArchitecture, architecture)
    reader = SettingsReader(settings, folder, _GPT2 if architecture == "gpt2" else {})
    heads, hidden = reader.size("num_attention_heads"), reader.size("hidden_size")
    numbers = _gpt2(reader, hidden) if architecture == "gpt2" else _llama(reader, architecture)
    try:
        return DecoderShape(
            decoder=str(folder),
            architecture=architecture,
            vocab_size=reader.size("vocab_size"),
            layers=reader.size("num_hidden_layers", most=1000),
            heads=heads,
            head_size=reader.size("head_dim", 128 if architecture == "qwen3" else max(1, hidden // heads)),
            hidden=hidden,
            context=reader.size("max_position_embeddings"),
            tied=bool(settings.get("tie_word_embeddings", architecture == "gpt2")),
            **({"kv_heads": heads} | numbers),
        )
    except ValueError as error:
        raise ValueError(f"{error} It was read from {reader.file}.") from error


def _gpt2(reader: SettingsReader, hidden: int) -> dict[str, Any]:
    reader.refuse("hidden_act", "gelu_new", "gelu_pytorch_tanh", "gelu_fast")
    for name, known in (
        ("scale_attn_weights", True),
        ("scale_attn_by_inverse_layer_idx", False),
        ("add_cross_attention", False),
    ):
        reader.refuse(name, known)
    return {
        "intermediate": reader.size("intermediate_size", 4 * hidden),
        "epsilon": reader.number("layer_norm_epsilon", 1e-5),
        "dropout": reader.number("resid_pdrop", 0.1),
    }


def _llama(reader: SettingsReader, architecture: DecoderArchitecture) -> dict[str, Any]:
    """What the architectures with rotary positions share."""
    reader.refuse("hidden_act", "silu", "swish")
    if architecture != "qwen2":  # whose queries, keys and values have them, whatever it says
        reader.refuse("attention_bias", False)
    reader.refuse("mlp_bias", False)
    reader.refuse("use_sliding_window", False)
    reader.refuse("partial_rotary_factor", 1.0)
    _refuse_mixed_layers(reader, architecture)
    return {
        "intermediate": reader.size("intermediate_size"),
        "kv_heads": reader.size("num_key_value_heads", reader.size("num_attention_heads")),
        "epsilon": reader.number("rms_norm_eps", 1e-6),
        "window": _window(reader) if architecture == "mistral" else None,
        **_rope(reader),
    }


def _window(reader: SettingsReader) -> int | None:
    """None: attention sees as far back as there is anything."""
    if reader.value("sliding_window", _WINDOW) is None:
        return None
    window = reader.size("sliding_window", _WINDOW)
    return window if window < reader.size("max_position_embeddings") else None


def _refuse_mixed_layers(reader: SettingsReader, architecture: str) -> None:
    """Some folders list for every layer how far its attention sees."""
    kinds = set(reader.value("layer_types") or []) - {"full_attention"}
    if kinds and architecture != "mistral":
        raise ValueError(
            "All layers of a decoder must have full attention to be built here. "
            f"Received: layer_types with {', '.join(sorted(map(str, kinds)))} in {reader.file}."
        )


def _rope(reader: SettingsReader) -> dict[str, Any]:
    """Rotary positions, and how they are scaled; newer folders say all of it in `rope_parameters`."""
    said = reader.value("rope_parameters") or reader.value("rope_scaling") or {}
    rope = SettingsReader(said, reader.file.parent, {})
    kind = said.get("rope_type", said.get("type", "default"))
    numbers: dict[str, Any] = {"rope_theta": rope.number("rope_theta", reader.number("rope_theta", 10_000.0))}
    if kind == "linear":
        numbers["rope_factor"] = rope.number("factor")
    elif kind == "llama3":
        numbers["rope_factor"] = rope.number("factor")
        numbers["rope_low"] = rope.number("low_freq_factor")
        numbers["rope_high"] = rope.number("high_freq_factor")
        numbers["rope_original"] = rope.size("original_max_position_embeddings")
    elif kind != "default":
        raise ValueError(
            "Rotary positions must be scaled as default, linear or llama3 to be built here. "
            f"Received: {kind!r} in {reader.file}."
        )
    return numbers

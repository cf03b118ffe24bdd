"""The files beside a decoder's graphs: what transformers, transformers.js and onnxruntime-genai read."""

from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer

from ...tokenizing.tokenizer import tokenizer_json
from ..manifest import as_json
from .reading import CausalParts

_CLASSES = {
    "gpt2": "GPT2LMHeadModel",
    "llama": "LlamaForCausalLM",
    "mistral": "MistralForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


def companions(
    parts: CausalParts, tokenizer: Tokenizer, settings: Mapping[str, Any], template: str | None, graph: str
) -> dict[str, bytes]:
    """Path in the bundle to the bytes of the file.

    Args:
        parts: The decoder.
        tokenizer: Its tokenizer.
        settings: Those of the manifest.
        template: The Jinja template of dialogues.
        graph: The file that onnxruntime-genai opens.
    """
    ends, bos = settings["eos_token_ids"], settings["bos_token_id"]
    known = {"eos_token_id": ends, "bos_token_id": bos, "pad_token_id": ends[0] if ends else 0}
    special = _special_tokens(tokenizer, known)
    documents: dict[str, Any] = {
        "config.json": _config(parts) | known,
        "generation_config.json": known | {"do_sample": False, "max_length": parts.context},
        "genai_config.json": _genai(parts, known, graph),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": parts.context,
            "model_input_names": ["input_ids", "attention_mask"],
            "padding_side": "right",
            "clean_up_tokenization_spaces": False,
            "add_bos_token": settings["add_bos"],  # transformers.js's pipeline asks this, not tokenizer.json
            **special,
            **({"chat_template": template} if template else {}),
        },
        "special_tokens_map.json": special,
    }
    files = {name: as_json(document) for name, document in documents.items()}
    files["tokenizer.json"] = tokenizer_json(tokenizer).encode()
    return files | ({"chat_template.jinja": template.encode()} if template else {})


def _special_tokens(tokenizer: Tokenizer, known: Mapping[str, Any]) -> dict[str, str]:
    roles = {"eos_token": (known["eos_token_id"] or [None])[0], "bos_token": known["bos_token_id"]}
    roles["pad_token"] = known["pad_token_id"]
    return {role: str(tokenizer.id_to_token(number)) for role, number in roles.items() if number is not None}


def _config(parts: CausalParts) -> dict[str, Any]:
    """config.json, in Hugging Face's words."""
    sizes = {
        "model_type": parts.family,
        "architectures": [_CLASSES[parts.family]],
        "vocab_size": parts.vocab_size,
        "hidden_size": parts.hidden,
        "num_hidden_layers": len(parts.layers),
        "num_attention_heads": parts.heads,
        "max_position_embeddings": parts.context,
        "tie_word_embeddings": parts.tied,
        "torch_dtype": "float32",
    }
    if parts.family == "gpt2":
        names = {"n_embd": parts.hidden, "n_layer": len(parts.layers), "n_head": parts.heads}
        names |= {"n_positions": parts.context, "n_ctx": parts.context, "n_inner": parts.intermediate}
        return sizes | names | {"activation_function": "gelu_new", "layer_norm_epsilon": parts.epsilon}
    attention = parts.layers[0]._self_attention_layer
    return sizes | {
        "num_key_value_heads": parts.kv_heads,
        "head_dim": parts.head_size,
        "intermediate_size": parts.intermediate,
        "hidden_act": "silu",
        "rms_norm_eps": parts.epsilon,
        "rope_theta": float(parts.backbone.rope_max_wavelength),
        "rope_scaling": _rope_scaling(attention),
        "attention_bias": attention._query_dense.bias is not None,
    }


def _rope_scaling(attention: Any) -> dict[str, Any] | None:
    layer = attention.rotary_embedding_layer
    if getattr(layer, "low_freq_factor", None) is not None:
        return {
            "rope_type": "llama3",
            "factor": layer.frequency_adjustment_factor,
            "low_freq_factor": layer.low_freq_factor,
            "high_freq_factor": layer.high_freq_factor,
            "original_max_position_embeddings": layer.pretraining_sequence_length,
        }
    factor = getattr(layer, "scaling_factor", 1.0)
    return (
        None if factor == 1 or hasattr(layer, "low_freq_factor") else {"rope_type": layer.rope_type, "factor": factor}
    )


def _genai(parts: CausalParts, known: Mapping[str, Any], graph: str) -> dict[str, Any]:
    """genai_config.json; past and present are one buffer, which GroupQueryAttention allows."""
    ends = known["eos_token_id"]
    return {
        "model": {
            "type": "decoder",
            "bos_token_id": 0 if known["bos_token_id"] is None else known["bos_token_id"],
            "eos_token_id": ends or [0],
            "pad_token_id": known["pad_token_id"],
            "vocab_size": parts.vocab_size,
            "context_length": parts.context,
            "decoder": {
                "filename": graph,
                "head_size": parts.head_size,
                "hidden_size": parts.hidden,
                "num_attention_heads": parts.heads,
                "num_key_value_heads": parts.kv_heads,
                "num_hidden_layers": len(parts.layers),
                "session_options": {"log_id": "kerasllm", "provider_options": []},
                "inputs": {
                    "input_ids": "input_ids",
                    "attention_mask": "attention_mask",
                    "position_ids": "position_ids",
                    "past_key_names": "past_key_values.%d.key",
                    "past_value_names": "past_key_values.%d.value",
                },
                "outputs": {
                    "logits": "logits",
                    "present_key_names": "present.%d.key",
                    "present_value_names": "present.%d.value",
                },
            },
        },
        "search": {
            "max_length": parts.context,
            "do_sample": False,
            "temperature": 1.0,
            "top_k": 50,
            "top_p": 1.0,
            "repetition_penalty": 1.0,
            "num_beams": 1,
            "past_present_share_buffer": True,
        },
    }

from pathlib import Path

import pytest

from kerasllm.pretrained.causal_settings import decoder_shape

from .causal_folders import CONFIGS

HERE = Path("folder")


def shape(kind, **changes):
    return decoder_shape({"model_type": kind, **CONFIGS[kind], **changes}, HERE)


@pytest.mark.parametrize("kind", CONFIGS)
def test_sizes_are_read_under_each_architectures_names(kind):
    found = shape(kind)
    assert (found.layers, found.heads, found.hidden, found.context, found.vocab_size) == (2, 4, 16, 32, 264)
    assert found.kv_heads == (4 if kind == "gpt2" else 2)
    assert found.head_size == (6 if kind in ("mistral", "qwen3") else 4)
    assert found.intermediate == (64 if kind == "gpt2" else 24)
    assert found.tied == (kind in ("gpt2", "qwen2", "qwen3"))


def test_what_a_config_json_leaves_out_is_what_hugging_face_means():
    bare = {
        name: CONFIGS["mistral"][name] for name in CONFIGS["mistral"] if not name.startswith(("head", "slid", "tie"))
    }
    found = decoder_shape({"model_type": "mistral", **bare, "max_position_embeddings": 8192}, HERE)
    assert (found.head_size, found.window, found.tied) == (4, 4096, False)
    assert shape("qwen3", head_dim=None).head_size == 128
    assert shape("llama", num_key_value_heads=None).kv_heads == 4
    assert shape("llama", rms_norm_eps=None).epsilon == 1e-6
    assert shape("mistral", sliding_window=32).window is None  # it sees the whole context


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("llama", {"model_type": "phi3"}, r"known architecture \(gpt2, .*model_type 'phi3'"),
        ("llama", {"hidden_size": None}, "hidden_size None"),
        ("llama", {"num_hidden_layers": 10**9}, "from 1 to 1000"),
        ("llama", {"rms_norm_eps": "small"}, "rms_norm_eps 'small'"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act must be 'silu' or 'swish'.*'gelu'"),
        ("llama", {"attention_bias": True}, "attention_bias must be False"),
        ("llama", {"mlp_bias": True}, "mlp_bias must be False"),
        ("llama", {"head_dim": 6}, "share the hidden size out .*4 heads of 6 and a hidden size of 16.* read from"),
        ("llama", {"num_attention_heads": 3}, "multiple of the heads of keys"),
        ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0}}, "scaled as Llama 3.1 does in llama"),
        ("llama", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "default, linear or llama3 .*'yarn'"),
        ("llama", {"rope_scaling": {"rope_type": "llama3", "factor": 2.0}}, "low_freq_factor None"),
        ("qwen2", {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "'dynamic'"),
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window must be False"),
        ("qwen3", {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types with sliding_attention"),
        ("mistral", {"tie_word_embeddings": True}, "that of mistral must not"),
        ("gpt2", {"activation_function": "relu"}, "activation_function must be 'gelu_new'"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx must be False"),
        ("gpt2", {"layer_norm_epsilon": 1e-6}, "must add 1e-5"),
        ("gpt2", {"tie_word_embeddings": False}, "output matrix of gpt2 must be the embedding"),
    ],
)
def test_what_cannot_be_built_is_refused_in_a_sentence(kind, changes, message):
    with pytest.raises(ValueError, match=message):
        shape(kind, **changes)

"""Folders of decoders as Hugging Face writes them, with random weights."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from kerasllm.tokenizing.decoder_tokenizer import DecoderTokenizerConfig, train_decoder_tokenizer
from kerasllm.tokenizing.tokenizer import save_tokenizer

TOKENIZER = train_decoder_tokenizer(["a good film, a very long film"], DecoderTokenizerConfig(vocab_size=260))
SIZES = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
    "vocab_size": 264,
    "rms_norm_eps": 1e-3,
    "rope_theta": 100.0,
    "tie_word_embeddings": False,
    "hidden_act": "silu",
}
CONFIGS = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_inner": None, "n_positions": 32, "vocab_size": 264},
    "llama": SIZES | {"head_dim": None, "attention_bias": False},
    "mistral": SIZES | {"head_dim": 6, "sliding_window": None},
    "qwen2": SIZES | {"tie_word_embeddings": True, "use_sliding_window": False, "sliding_window": 16},
    "qwen3": SIZES | {"head_dim": 6, "tie_word_embeddings": True},
}


def random_decoder(config: dict, seed: int = 0) -> dict[str, np.ndarray]:
    """Every tensor of a decoder, named as in its file."""
    rng = np.random.default_rng(seed)
    tensors = {}

    def draw(name, *shape, mean=0.0):
        tensors[name] = rng.normal(mean, 0.3, shape).astype("float32")

    if config["model_type"] == "gpt2":
        _draw_gpt2(config, draw)
    else:
        _draw_llama(config, draw)
    return tensors


def _draw_gpt2(config, draw):
    hidden = config["n_embd"]
    draw("transformer.wte.weight", config["vocab_size"], hidden)
    draw("transformer.wpe.weight", config["n_positions"], hidden)
    for number in range(config["n_layer"]):
        layer = f"transformer.h.{number}"
        widths = {"attn.c_attn": (1, 3), "attn.c_proj": (1, 1), "mlp.c_fc": (1, 4), "mlp.c_proj": (4, 1)}
        for name, (width, out) in widths.items():
            draw(f"{layer}.{name}.weight", width * hidden, out * hidden)
            draw(f"{layer}.{name}.bias", out * hidden)
        for name in ("ln_1", "ln_2"):
            draw(f"{layer}.{name}.weight", hidden, mean=1.0)
            draw(f"{layer}.{name}.bias", hidden)
    draw("transformer.ln_f.weight", hidden, mean=1.0)
    draw("transformer.ln_f.bias", hidden)


def _draw_llama(config, draw):
    hidden, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    size = config.get("head_dim") or hidden // heads
    keys = config["num_key_value_heads"] * size
    draw("model.embed_tokens.weight", config["vocab_size"], hidden)
    for number in range(config["num_hidden_layers"]):
        layer = f"model.layers.{number}"
        for short, out in (("q", heads * size), ("k", keys), ("v", keys)):
            draw(f"{layer}.self_attn.{short}_proj.weight", out, hidden)
            if config["model_type"] == "qwen2":
                draw(f"{layer}.self_attn.{short}_proj.bias", out)
            if config["model_type"] == "qwen3" and short != "v":
                draw(f"{layer}.self_attn.{short}_norm.weight", size, mean=1.0)
        draw(f"{layer}.self_attn.o_proj.weight", hidden, heads * size)
        for name, shape in {"gate": (inner, hidden), "up": (inner, hidden), "down": (hidden, inner)}.items():
            draw(f"{layer}.mlp.{name}_proj.weight", *shape)
        for name in ("input_layernorm", "post_attention_layernorm"):
            draw(f"{layer}.{name}.weight", hidden, mean=1.0)
    draw("model.norm.weight", hidden, mean=1.0)
    if not config["tie_word_embeddings"]:
        draw("lm_head.weight", config["vocab_size"], hidden)


def write_decoder(folder: Path, kind: str = "llama", tensors: dict | None = None, **changes) -> Path:
    """A folder with config.json, model.safetensors and tokenizer.json; `changes` are those of config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_type": kind, **CONFIGS[kind], **changes}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(random_decoder(config) if tensors is None else tensors, folder / "model.safetensors")
    save_tokenizer(TOKENIZER, folder / "tokenizer.json")
    return folder

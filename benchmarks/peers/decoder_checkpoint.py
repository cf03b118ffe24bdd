"""The decoders that are timed: Hugging Face folders of random weights, which every peer loads, and what they answer.

The answer comes from numpy alone, so that no peer is the judge of the others.
"""

import itertools
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

VOCABULARY = 50_257
POSITIONS = 1024
END = VOCABULARY - 1
END_TEXT = "<|endoftext|>"
_EPSILON = 1e-5
_ROTARY_BASE = 10_000.0


@dataclass(frozen=True, kw_only=True)
class DecoderShape:
    """An architecture and its sizes; the head is the embeddings' table."""

    model_type: str
    """"gpt2", or "llama" (rotary positions, RMS norms, a gated feed-forward part, no biases)."""
    intermediate: int
    layers: int = 12
    hidden: int = 768
    heads: int = 12

    def prefill_flops(self, tokens: int) -> float:
        """Multiplications and additions of the products with weights; the head's for the last token alone."""
        products = 3 if self.model_type == "llama" else 2
        layer = 4 * self.hidden**2 + products * self.hidden * self.intermediate
        return 2.0 * (tokens * self.layers * layer + VOCABULARY * self.hidden)


DECODER_SHAPES = {
    "gpt2": DecoderShape(model_type="gpt2", intermediate=3072),
    "llama": DecoderShape(model_type="llama", intermediate=2048),
}


def write_decoder_checkpoint(folder: Path, shape: DecoderShape) -> None:
    """Writes config.json, generation_config.json, model.safetensors and the tokenizer's files.

    Args:
        folder: The folder to make; one that is there is kept if it is whole.
        shape: Architecture and sizes.
    """
    if (folder / "config.json").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    parameters = {name: _random(draw, name, size) for name, size in _parameters(shape).items()}
    # The head is this table: end-of-text, nearly 0, is never the likeliest token, so nobody must be told to go on.
    next(iter(parameters.values()))[END] *= 1e-3
    save_file(parameters, folder / "model.safetensors", metadata={"format": "pt"})
    _write_tokenizer(folder)
    generation = {"bos_token_id": END, "eos_token_id": END, "pad_token_id": END}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    (folder / "config.json").write_text(json.dumps(_config(shape), indent=2))  # last: it says that the folder is whole


def greedy(folder: Path, shape: DecoderShape, prompt: list[int], count: int) -> list[int]:
    """The tokens that follow a prompt, the likeliest each time: everything is computed anew for each."""
    parameters = load_file(folder / "model.safetensors")
    ids = list(prompt)
    for _ in range(count):
        ids.append(int(np.argmax(_logits(parameters, shape, ids))))
    return ids[len(prompt) :]


def _logits(parameters: Mapping[str, np.ndarray], shape: DecoderShape, ids: list[int]) -> np.ndarray:
    """Of the token after the last: float32 [vocabulary]."""
    hidden = _gpt2 if shape.model_type == "gpt2" else _llama
    table = next(iter(_parameters(shape)))
    return parameters[table] @ hidden(parameters, shape, ids)[-1]


def _gpt2(parameters: Mapping[str, np.ndarray], shape: DecoderShape, ids: list[int]) -> np.ndarray:
    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ parameters[f"transformer.{name}.weight"] + parameters[f"transformer.{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + _EPSILON)
        return x * parameters[f"transformer.{name}.weight"] + parameters[f"transformer.{name}.bias"]

    x = parameters["transformer.wte.weight"][ids] + parameters["transformer.wpe.weight"][: len(ids)]
    for index in range(shape.layers):
        name = f"h.{index}"
        query, key, value = np.split(dense(norm(x, f"{name}.ln_1"), f"{name}.attn.c_attn"), 3, axis=-1)
        x = x + dense(_attend(query, key, value, shape.heads), f"{name}.attn.c_proj")
        inner = dense(norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc")
        inner = 0.5 * inner * (1 + np.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
        x = x + dense(inner, f"{name}.mlp.c_proj")
    return norm(x, "ln_f")


def _llama(parameters: Mapping[str, np.ndarray], shape: DecoderShape, ids: list[int]) -> np.ndarray:
    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ parameters[f"model.{name}.weight"].T

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt(np.square(x).mean(-1, keepdims=True) + _EPSILON) * parameters[f"model.{name}.weight"]

    size = shape.hidden // shape.heads
    angles = np.outer(np.arange(len(ids)), _ROTARY_BASE ** (-np.arange(0, size, 2) / size))[:, None]
    cosine, sine = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def rotated(x: np.ndarray) -> np.ndarray:
        first, second = np.split(x.reshape(len(ids), shape.heads, size), 2, axis=-1)
        turned = [first * cosine - second * sine, second * cosine + first * sine]
        return np.concatenate(turned, -1).reshape(x.shape)

    x = parameters["model.embed_tokens.weight"][ids]
    for index in range(shape.layers):
        name = f"layers.{index}"
        before = norm(x, f"{name}.input_layernorm")
        query, key, value = (dense(before, f"{name}.self_attn.{part}_proj") for part in "qkv")
        mixed = _attend(rotated(query), rotated(key), value, shape.heads)
        x = x + dense(mixed, f"{name}.self_attn.o_proj")
        before = norm(x, f"{name}.post_attention_layernorm")
        gate = dense(before, f"{name}.mlp.gate_proj")
        inner = gate / (1 + np.exp(-gate)) * dense(before, f"{name}.mlp.up_proj")
        x = x + dense(inner, f"{name}.mlp.down_proj")
    return norm(x, "norm")


def _attend(query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int) -> np.ndarray:
    """Causal attention: each [tokens, hidden], and so is what comes."""
    tokens = len(query)
    query, key, value = (x.reshape(tokens, heads, -1).swapaxes(0, 1) for x in (query, key, value))
    scores = query @ key.swapaxes(1, 2) / math.sqrt(query.shape[-1])
    scores = np.where(np.tri(tokens, dtype=bool), scores, np.float32(-np.inf))
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = (scores / scores.sum(-1, keepdims=True)) @ value
    return mixed.swapaxes(0, 1).reshape(tokens, -1)


def _parameters(shape: DecoderShape) -> dict[str, tuple[int, ...]]:
    """Name and size of every parameter, the embeddings' table first; products are [in, out] in GPT-2, or [out, in]."""
    width, inner = shape.hidden, shape.intermediate
    if shape.model_type == "llama":
        sizes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, width)}
        for layer in (f"model.layers.{index}" for index in range(shape.layers)):
            sizes |= {f"{layer}.self_attn.{part}_proj.weight": (width, width) for part in "qkvo"}
            sizes |= {f"{layer}.mlp.{part}_proj.weight": (inner, width) for part in ("gate", "up")}
            sizes[f"{layer}.mlp.down_proj.weight"] = (width, inner)
            sizes |= {f"{layer}.{norm}_layernorm.weight": (width,) for norm in ("input", "post_attention")}
        return sizes | {"model.norm.weight": (width,)}
    sizes = {"transformer.wte.weight": (VOCABULARY, width), "transformer.wpe.weight": (POSITIONS, width)}
    for layer in (f"transformer.h.{index}" for index in range(shape.layers)):
        products = {"attn.c_attn": (width, 3 * width), "attn.c_proj": (width, width)}
        products |= {"mlp.c_fc": (width, inner), "mlp.c_proj": (inner, width)}
        for name, size in (products | {"ln_1": (width,), "ln_2": (width,)}).items():
            sizes |= {f"{layer}.{name}.weight": size, f"{layer}.{name}.bias": size[-1:]}
    return sizes | {"transformer.ln_f.weight": (width,), "transformer.ln_f.bias": (width,)}


def _random(draw: np.random.Generator, name: str, size: tuple[int, ...]) -> np.ndarray:
    """Of a spread with which attention and every layer matter: else the last token would be repeated for ever."""
    weight = draw.standard_normal(size, dtype=np.float32)
    if len(size) == 1 and name.endswith("weight"):  # a norm's
        return 1 + 0.1 * weight
    return weight * np.float32(0.02 if name.endswith(("c_proj.weight", "o_proj.weight", "down_proj.weight")) else 0.05)


def _config(shape: DecoderShape) -> dict[str, object]:
    both = {
        "vocab_size": VOCABULARY, "bos_token_id": END, "eos_token_id": END, "tie_word_embeddings": True,
        "initializer_range": 0.02, "torch_dtype": "float32", "use_cache": True,
    }  # fmt: skip
    if shape.model_type == "llama":
        return both | {
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu",
            "hidden_size": shape.hidden, "intermediate_size": shape.intermediate, "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads, "num_key_value_heads": shape.heads, "attention_bias": False,
            "head_dim": shape.hidden // shape.heads, "max_position_embeddings": POSITIONS, "mlp_bias": False,
            "rms_norm_eps": _EPSILON, "rope_theta": _ROTARY_BASE, "rope_scaling": None, "attention_dropout": 0.0,
        }  # fmt: skip
    return both | {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "activation_function": "gelu_new",
        "n_embd": shape.hidden, "n_inner": shape.intermediate, "n_layer": shape.layers, "n_head": shape.heads,
        "n_positions": POSITIONS, "n_ctx": POSITIONS, "layer_norm_epsilon": _EPSILON, "attn_pdrop": 0.1,
        "embd_pdrop": 0.1, "resid_pdrop": 0.1,
    }  # fmt: skip


def _write_tokenizer(folder: Path) -> None:
    """Byte-level pairs up to the vocabulary's size: only loaders look at it, since all are timed from token ids on."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(itertools.islice(itertools.product(alphabet, alphabet), END - len(alphabet)))
    words = [*alphabet, *(first + second for first, second in merges), END_TEXT]
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_TEXT])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges)]) + "\n")
    tokens = dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_TEXT)
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens))
    about = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": POSITIONS, "add_prefix_space": False, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))

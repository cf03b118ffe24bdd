"""A decoder of a few hundred weights: as a graph with the contract's names, as plain NumPy, and as a bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tokenizers
from onnx import TensorProto, helper, numpy_helper
from tokenizers import models, pre_tokenizers

from ..handmade import write_bundle

END = "<|endoftext|>"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The shape of the decoder."""

    vocabulary: int = 260
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    head_size: int = 16
    context: int = 64

    @property
    def hidden(self) -> int:
        return self.heads * self.head_size


def byte_tokenizer(*words: str) -> tokenizers.Tokenizer:
    """A token a byte, END at id 256, then the words."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = tokenizers.Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens([END])
    tokenizer.add_tokens(list(words))
    return tokenizer


def make_weights(sizes: Sizes, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights, large enough that the most likely tokens differ from place to place."""
    random = np.random.default_rng(seed)
    kv = sizes.kv_heads * sizes.head_size
    shapes = {"embedding": (sizes.vocabulary, sizes.hidden)}
    for layer in range(sizes.layers):
        shapes |= {f"q{layer}": (sizes.hidden, sizes.hidden), f"k{layer}": (sizes.hidden, kv)}
        shapes |= {f"v{layer}": (sizes.hidden, kv), f"o{layer}": (sizes.hidden, sizes.hidden)}
        shapes |= {f"up{layer}": (sizes.hidden, 2 * sizes.hidden), f"down{layer}": (2 * sizes.hidden, sizes.hidden)}
    weights = {name: random.normal(0, 0.35, shape).astype(np.float32) for name, shape in shapes.items()}
    weights["head"] = random.normal(0, 1, (sizes.hidden, sizes.vocabulary)).astype(np.float32)
    angles = np.arange(sizes.context)[:, None] / 10000 ** (np.arange(sizes.head_size // 2) / (sizes.head_size // 2))
    return weights | {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}


def forward(weights: dict[str, np.ndarray], sizes: Sizes, ids: list[int]) -> np.ndarray:
    """The oracle: logits [tokens, vocabulary] of one text, with nothing kept from token to token."""
    hidden = weights["embedding"][ids]
    seen = np.tril(np.ones((len(ids), len(ids)), bool))
    for layer in range(sizes.layers):
        normal = _normalize(hidden)
        query, key, value = (_heads(normal @ weights[f"{part}{layer}"], sizes) for part in "qkv")
        key, value = (np.repeat(each, sizes.heads // sizes.kv_heads, axis=0) for each in (_turn(key, weights), value))
        scores = _turn(query, weights) @ key.transpose(0, 2, 1) / np.sqrt(sizes.head_size)
        scores = np.where(seen, scores, -np.inf)
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (powers / powers.sum(-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(len(ids), -1)
        hidden = hidden + mixed @ weights[f"o{layer}"]
        hidden = hidden + np.maximum(_normalize(hidden) @ weights[f"up{layer}"], 0) @ weights[f"down{layer}"]
    return _normalize(hidden) @ weights["head"]


def greedy(weights: dict[str, np.ndarray], sizes: Sizes, ids: list[int], count: int, end: int = 256) -> list[int]:
    """The oracle's most likely tokens one after the other, without the one that ends the text."""
    start, ids = len(ids), list(ids)
    while len(ids) < min(start + count, sizes.context):
        best = int(forward(weights, sizes, ids)[-1].argmax())
        if best == end:
            break
        ids.append(best)
    return ids[start:]


def make_graph(weights: dict[str, np.ndarray], sizes: Sizes) -> bytes:
    """The graph for prompts and single tokens, with GroupQueryAttention."""
    nodes, constants = list(_lengths()), dict(weights)
    constants |= {"one": np.array(1), "axis1": np.array([1]), "scale": np.ones(sizes.hidden, np.float32)}
    constants |= {"last": np.array([2**31]), "num_logits_to_keep": np.array(0)}
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch_size", length])
        for name, length in [
            ("input_ids", "sequence_length"),
            ("attention_mask", "total_sequence_length"),
            ("position_ids", "sequence_length"),
        ]
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", "kept", sizes.vocabulary])]
    nodes.append(helper.make_node("Gather", ["embedding", "input_ids"], ["hidden0"]))
    for layer in range(sizes.layers):
        past = ["batch_size", sizes.kv_heads, "past_sequence_length", sizes.head_size]
        total = ["batch_size", sizes.kv_heads, "total_sequence_length", sizes.head_size]
        for part in ("key", "value"):
            name = f"{layer}.{part}"
            inputs.append(helper.make_tensor_value_info(f"past_key_values.{name}", TensorProto.FLOAT, past))
            outputs.append(helper.make_tensor_value_info(f"present.{name}", TensorProto.FLOAT, total))
        nodes += _layer(layer, sizes)
    nodes += [
        helper.make_node("LayerNormalization", [f"hidden{sizes.layers}", "scale"], ["final"], epsilon=1e-5),
        helper.make_node("Neg", ["num_logits_to_keep"], ["minus"]),
        helper.make_node("Unsqueeze", ["minus", "zero_axis"], ["first"]),
        helper.make_node("Slice", ["final", "first", "last", "axis1"], ["kept"]),
        helper.make_node("MatMul", ["kept", "head"], ["logits"]),
    ]
    constants["zero_axis"] = np.array([0])
    inputs.append(helper.make_tensor_value_info("num_logits_to_keep", TensorProto.INT64, []))
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return model.SerializeToString()


def write_decoder(
    folder: Path,
    weights: dict[str, np.ndarray],
    sizes: Sizes,
    tokenizer: tokenizers.Tokenizer | None = None,
    variant: str = "fp32",
    **changes: Any,
) -> Path:
    """A bundle of the decoder."""
    manifest: dict[str, Any] = {
        "task": "text-generation",
        "labels": [],
        "activation": "none",
        "preprocessing": {"max_length": sizes.context, "pad_token_id": 256},
        "inputs": {name: name for name in ("input_ids", "attention_mask", "position_ids")},
        "outputs": ["logits"],
        "cache": {"layers": sizes.layers, "kv_heads": sizes.kv_heads, "head_size": sizes.head_size, "dtype": "float32"},
        "settings": {"eos_token_ids": [256], "bos_token_id": None, "add_bos": False, "chat_template": False},
    }
    manifest |= changes
    return write_bundle(
        folder, {variant: make_graph(weights, sizes)}, tokenizer=tokenizer or byte_tokenizer(), **manifest
    )


def _lengths() -> list[onnx.NodeProto]:
    """Length of every row, less one, and that of the longest, from the mask."""
    return [
        helper.make_node("ReduceSum", ["attention_mask", "axis1"], ["rows"], keepdims=0),
        helper.make_node("Sub", ["rows", "one"], ["less"]),
        helper.make_node("Cast", ["less"], ["seqlens_k"], to=TensorProto.INT32),
        helper.make_node("Shape", ["attention_mask"], ["shape"]),
        helper.make_node("Gather", ["shape", "one"], ["width"]),
        helper.make_node("Cast", ["width"], ["total"], to=TensorProto.INT32),
    ]


def _layer(layer: int, sizes: Sizes) -> list[onnx.NodeProto]:
    names = {
        part: f"{part}_{layer}" for part in ("normal", "q", "k", "v", "mixed", "o", "mid", "n2", "up", "act", "dn")
    }
    past = [f"past_key_values.{layer}.key", f"past_key_values.{layer}.value"]
    attention = helper.make_node(
        "GroupQueryAttention",
        [names["q"], names["k"], names["v"], *past, "seqlens_k", "total", "cos", "sin"],
        [names["mixed"], f"present.{layer}.key", f"present.{layer}.value"],
        domain="com.microsoft",
        num_heads=sizes.heads,
        kv_num_heads=sizes.kv_heads,
        do_rotary=1,
    )
    products = [helper.make_node("MatMul", [names["normal"], f"{part}{layer}"], [names[part]]) for part in "qkv"]
    return [
        helper.make_node("LayerNormalization", [f"hidden{layer}", "scale"], [names["normal"]], epsilon=1e-5),
        *products,
        attention,
        helper.make_node("MatMul", [names["mixed"], f"o{layer}"], [names["o"]]),
        helper.make_node("Add", [f"hidden{layer}", names["o"]], [names["mid"]]),
        helper.make_node("LayerNormalization", [names["mid"], "scale"], [names["n2"]], epsilon=1e-5),
        helper.make_node("MatMul", [names["n2"], f"up{layer}"], [names["up"]]),
        helper.make_node("Relu", [names["up"]], [names["act"]]),
        helper.make_node("MatMul", [names["act"], f"down{layer}"], [names["dn"]]),
        helper.make_node("Add", [names["mid"], names["dn"]], [f"hidden{layer + 1}"]),
    ]


def _normalize(values: np.ndarray) -> np.ndarray:
    centered = values - values.mean(-1, keepdims=True)
    return centered / np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-5)


def _heads(values: np.ndarray, sizes: Sizes) -> np.ndarray:
    """[tokens, heads * head_size] to [heads, tokens, head_size]."""
    return values.reshape(len(values), -1, sizes.head_size).transpose(1, 0, 2)


def _turn(values: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Rotary positions: the halves of a head are turned together."""
    cos, sin = (weights[name][: values.shape[1]] for name in ("cos", "sin"))
    first, second = np.split(values, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)

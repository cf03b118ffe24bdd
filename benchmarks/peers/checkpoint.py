"""The encoders that are timed: Hugging Face folders of random weights, which every peer loads, and what they answer.

The answer comes from numpy alone, so that no peer is the judge of the others.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.special import erf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

VOCABULARY = 30_522
POSITIONS = 512
_EPSILON = 1e-12
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """An architecture and its sizes."""

    model_type: str
    """"distilbert", or "bert" (which has segments)."""
    layers: int
    hidden: int
    intermediate: int
    heads: int = 12

    def flops(self, lengths: np.ndarray) -> float:
        """Multiplications and additions of the matrix products with weights, for rows of these many tokens."""
        return 2.0 * float(np.sum(lengths)) * self.layers * (4 * self.hidden**2 + 2 * self.hidden * self.intermediate)


SHAPES = {
    "distilbert": Shape(model_type="distilbert", layers=6, hidden=768, intermediate=3072),
    "minilm": Shape(model_type="bert", layers=6, hidden=384, intermediate=1536),
}


def write_checkpoint(folder: Path, shape: Shape) -> None:
    """Writes config.json, model.safetensors and the tokenizer's files.

    Args:
        folder: The folder to make; one that is there is kept if it is whole.
        shape: Architecture and sizes.
    """
    if (folder / "config.json").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    names = _parameters(shape)
    # As the checkpoints on the Hub have it: under the name of the model, since they come from pretraining with a head.
    prefix = "distilbert." if shape.model_type == "distilbert" else ""
    save_file({prefix + name: _random(draw, name, size) for name, size in names.items()}, folder / "model.safetensors")
    _write_tokenizer(folder)
    (folder / "config.json").write_text(json.dumps(_config(shape), indent=2))  # last: it says that the folder is whole


def reference(folder: Path, shape: Shape, rows: list[list[int]]) -> list[np.ndarray]:
    """The last hidden state of each row by itself: float32 [tokens, hidden] a row of token ids."""
    parameters = load_file(folder / "model.safetensors")
    parameters = {name.removeprefix("distilbert."): array for name, array in parameters.items()}
    return [_encode(parameters, shape, row) for row in rows]


def _encode(parameters: Mapping[str, np.ndarray], shape: Shape, ids: list[int]) -> np.ndarray:
    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ parameters[f"{name}.weight"].T + parameters[f"{name}.bias"]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + _EPSILON)
        return x * parameters[f"{name}.weight"] + parameters[f"{name}.bias"]

    def heads(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(ids), shape.heads, -1).swapaxes(0, 1)

    x = parameters["embeddings.word_embeddings.weight"][ids]
    x = x + parameters["embeddings.position_embeddings.weight"][: len(ids)]
    if shape.model_type == "bert":
        x = x + parameters["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, "embeddings.LayerNorm")
    for index in range(shape.layers):
        query, key, value, out, first, up, down, second = _layer_names(shape, index)
        q, k, v = heads(dense(x, query)), heads(dense(x, key)), heads(dense(x, value))
        scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        x = norm(x + dense(mixed.swapaxes(0, 1).reshape(len(ids), -1), out), first)
        inner = dense(x, up)
        x = norm(x + dense(inner * 0.5 * (1 + erf(inner / np.sqrt(2))), down), second)
    return x.astype(np.float32)


def _layer_names(shape: Shape, index: int) -> tuple[str, ...]:
    """Query, key, value, attention's output, its norm; the two products of the feed-forward part, its norm."""
    if shape.model_type == "distilbert":
        parts = ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm",
                 "ffn.lin1", "ffn.lin2", "output_layer_norm")  # fmt: skip
        return tuple(f"transformer.layer.{index}.{part}" for part in parts)
    parts = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
             "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm")  # fmt: skip
    return tuple(f"encoder.layer.{index}.{part}" for part in parts)


def _parameters(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Name and size of every parameter; a product's weight is [out, in], as PyTorch has it."""
    width, inner = shape.hidden, shape.intermediate
    tables = {"word": VOCABULARY, "position": POSITIONS} | ({"token_type": 2} if shape.model_type == "bert" else {})
    sizes: dict[str, tuple[int, ...]] = {
        f"embeddings.{name}_embeddings.weight": (n, width) for name, n in tables.items()
    }
    sizes |= {"embeddings.LayerNorm.weight": (width,), "embeddings.LayerNorm.bias": (width,)}
    for index in range(shape.layers):
        query, key, value, out, first, up, down, second = _layer_names(shape, index)
        products = {query: (width, width), key: (width, width), value: (width, width), out: (width, width)}
        for name, size in (products | {up: (inner, width), down: (width, inner)}).items():
            sizes |= {f"{name}.weight": size, f"{name}.bias": size[:1]}
        for name in (first, second):
            sizes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    if shape.model_type == "bert":  # no peer computes it; loaders look for it
        sizes |= {"pooler.dense.weight": (width, width), "pooler.dense.bias": (width,)}
    return sizes


def _random(draw: np.random.Generator, name: str, size: tuple[int, ...]) -> np.ndarray:
    """Of the spread that trained ones have, about."""
    if "norm" in name.lower():
        return (("bias" not in name) + 0.1 * draw.standard_normal(size)).astype(np.float32)
    return (0.05 * draw.standard_normal(size)).astype(np.float32)


def _config(shape: Shape) -> dict[str, object]:
    if shape.model_type == "distilbert":
        return {
            "model_type": "distilbert", "architectures": ["DistilBertModel"], "activation": "gelu", "dim": shape.hidden,
            "hidden_dim": shape.intermediate, "n_heads": shape.heads, "n_layers": shape.layers, "dropout": 0.1,
            "attention_dropout": 0.1, "max_position_embeddings": POSITIONS, "vocab_size": VOCABULARY,
            "pad_token_id": 0, "sinusoidal_pos_embds": False, "initializer_range": 0.02, "torch_dtype": "float32",
        }  # fmt: skip
    return {
        "model_type": "bert", "architectures": ["BertModel"], "hidden_act": "gelu", "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate, "num_attention_heads": shape.heads, "vocab_size": VOCABULARY,
        "num_hidden_layers": shape.layers, "max_position_embeddings": POSITIONS, "type_vocab_size": 2,
        "layer_norm_eps": _EPSILON, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "pad_token_id": 0,
        "position_embedding_type": "absolute", "initializer_range": 0.02, "torch_dtype": "float32",
    }  # fmt: skip


def _write_tokenizer(folder: Path) -> None:
    """A word a token: only loaders look at it, since every peer is timed from token ids on."""
    vocabulary = {word: index for index, word in enumerate(_SPECIAL)}
    vocabulary |= {f"word{index}": index for index in range(len(_SPECIAL), VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    tokens = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), _SPECIAL, strict=True))
    (folder / "special_tokens_map.json").write_text(json.dumps(tokens))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": POSITIONS, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))

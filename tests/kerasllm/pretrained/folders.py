"""Folders of Hugging Face with random weights, written by hand."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from .reference import BERT, LAYERS, PARTS

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "good", "film", "b", "##ad", "very", "long"]
SIZES = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12}
COMMON = {"vocab_size": 14, "max_position_embeddings": 10, "type_vocab_size": 2, "layer_norm_eps": 1e-3}
CONFIGS = {
    "bert": {**SIZES, **COMMON, "hidden_act": "gelu"},
    "distilbert": {
        **COMMON,
        **{"dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12, "activation": "gelu", "layer_norm_eps": 1e-12},
    },
    "roberta": {**SIZES, **COMMON, "type_vocab_size": 1, "pad_token_id": 1, "hidden_act": "gelu"},
    "albert": {**SIZES, **COMMON, "embedding_size": 4, "num_hidden_groups": 1, "hidden_act": "gelu_new"},
    "electra": {**SIZES, **COMMON, "embedding_size": 4, "hidden_act": "gelu"},
}


def random_tensors(kind: str, config: dict, seed: int = 0) -> dict[str, np.ndarray]:
    """Every tensor of an encoder, named as in its file."""
    rng = np.random.default_rng(seed)
    tensors = {}

    def dense(name, width, out):
        tensors[f"{kind}.{name}.weight"] = rng.normal(0, 0.3, (out, width)).astype("float32")
        tensors[f"{kind}.{name}.bias"] = rng.normal(0, 0.3, out).astype("float32")

    def norm(name, width):
        tensors[f"{kind}.{name}.weight"] = rng.normal(1, 0.2, width).astype("float32")
        tensors[f"{kind}.{name}.bias"] = rng.normal(0, 0.2, width).astype("float32")

    hidden = config.get("hidden_size", config.get("dim"))
    inner = config.get("intermediate_size", config.get("hidden_dim"))
    width = config.get("embedding_size", hidden)
    for name, rows in (
        ("word", "vocab_size"),
        ("position", "max_position_embeddings"),
        ("token_type", "type_vocab_size"),
    ):
        if kind != "distilbert" or name != "token_type":
            table = rng.normal(0, 0.5, (config[rows], width)).astype("float32")
            tensors[f"{kind}.embeddings.{name}_embeddings.weight"] = table
    norm("embeddings.LayerNorm", width)
    if kind == "albert":
        dense("encoder.embedding_hidden_mapping_in", width, hidden)
    if kind == "electra" and width != hidden:
        dense("embeddings_project", width, hidden)
    groups = config.get("num_hidden_groups") or config.get("num_hidden_layers", config.get("n_layers"))
    for number in range(groups):
        layer = LAYERS.get(kind, "encoder.layer.{}.").format(number)
        shapes = [(hidden, hidden)] * 4 + [None, (hidden, inner), (inner, hidden), None]
        for part, shape in zip(PARTS.get(kind, BERT), shapes, strict=True):
            dense(layer + part, *shape) if shape else norm(layer + part, hidden)
    return tensors


def write_folder(folder: Path, kind: str = "bert", tensors: dict | None = None, **changes) -> Path:
    """A folder with config.json, model.safetensors and vocab.txt; `changes` are those of config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_type": kind, **CONFIGS[kind], **changes}
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    save_file(random_tensors(kind, CONFIGS[kind]) if tensors is None else tensors, folder / "model.safetensors")
    if kind in ("bert", "distilbert", "electra"):
        (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return folder

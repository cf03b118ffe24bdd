"""Folders of Hugging Face with random weights, written by hand, and what their encoders compute, in plain NumPy."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.special import erf

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
# query, key, value, output of attention, its norm, the two dense ones of the feed-forward part, its norm
BERT = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
]
PARTS = {
    "distilbert": [
        "attention.q_lin",
        "attention.k_lin",
        "attention.v_lin",
        "attention.out_lin",
        "sa_layer_norm",
        "ffn.lin1",
        "ffn.lin2",
        "output_layer_norm",
    ],
    "albert": [
        "attention.query",
        "attention.key",
        "attention.value",
        "attention.dense",
        "attention.LayerNorm",
        "ffn",
        "ffn_output",
        "full_layer_layer_norm",
    ],
}
LAYERS = {"distilbert": "transformer.layer.{}.", "albert": "encoder.albert_layer_groups.{}.albert_layers.0."}


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


def hidden_states(kind: str, config: dict, tensors: dict, ids: np.ndarray, types: np.ndarray) -> np.ndarray:
    """What the encoder gives for one text without padding, as its paper defines it, in float64.

    Args:
        kind: The architecture.
        config: The content of config.json.
        tensors: By the names of the file.
        ids: [tokens].
        types: Segments, [tokens].

    Returns:
        float64 [tokens, hidden].
    """
    prefix = f"{kind}." if any(name.startswith(f"{kind}.") for name in tensors) else ""

    def get(name):
        return tensors[prefix + name].astype("float64")

    def dense(x, name):
        return x @ get(f"{name}.weight").T + get(f"{name}.bias")

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((x**2).mean(-1, keepdims=True) + config.get("layer_norm_eps", 1e-12))
        return x / scale * get(f"{name}.weight") + get(f"{name}.bias")

    first = config["pad_token_id"] + 1 if kind == "roberta" else 0
    x = get("embeddings.word_embeddings.weight")[ids]
    x = x + get("embeddings.position_embeddings.weight")[first : first + len(ids)]
    if kind != "distilbert":
        x = x + get("embeddings.token_type_embeddings.weight")[types]
    x = norm(x, "embeddings.LayerNorm")
    if kind == "albert":
        x = dense(x, "encoder.embedding_hidden_mapping_in")
    if f"{prefix}embeddings_project.weight" in tensors:
        x = dense(x, "embeddings_project")
    activation = _gelu_tanh if config.get("hidden_act") == "gelu_new" else _gelu
    layers = config.get("num_hidden_layers", config.get("n_layers"))
    heads = config.get("num_attention_heads", config.get("n_heads"))
    for number in range(layers):
        group = number * config["num_hidden_groups"] // layers if kind == "albert" else number
        layer = LAYERS.get(kind, "encoder.layer.{}.").format(group)
        q, k, v, out, norm1, up, down, norm2 = (layer + part for part in PARTS.get(kind, BERT))
        q, k, v = (np.stack(np.split(dense(x, name), heads, axis=-1)) for name in (q, k, v))  # [heads, tokens, size]
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = weights / weights.sum(-1, keepdims=True) @ v
        x = norm(x + dense(np.concatenate(list(mixed), axis=-1), out), norm1)
        x = norm(x + dense(activation(dense(x, up)), down), norm2)
    return x


def _gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def _gelu_tanh(x):
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2

"""What encoders compute, in plain NumPy and float64: the reference for tests and for benchmarks/embeddings.py.

Written after the papers; once held to transformers 4.57.6, which gives the same to 1e-15 for every architecture here.
"""

import numpy as np
from scipy.special import erf

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
        return np.asarray(tensors[prefix + name], "float64")

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

"""What decoders compute, in plain NumPy and float64, without a cache: the reference for tests.

Written after the papers (Radford et al. 2019, Touvron et al. 2023, Su et al. 2021) and what Hugging Face's config.json
says of their kin.
"""

import numpy as np


def logits(config: dict, tensors: dict, ids: np.ndarray) -> np.ndarray:
    """What a decoder gives for one text.

    Args:
        config: The content of config.json.
        tensors: By the names of the file.
        ids: [tokens].

    Returns:
        float64 [tokens, vocabulary].
    """
    tensors = {name: np.asarray(tensor, "float64") for name, tensor in tensors.items()}
    return (_gpt2 if config["model_type"] == "gpt2" else _llama)(config, tensors, ids)


def _gpt2(config, tensors, ids):
    def dense(x, name):
        return x @ tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    heads = config["n_head"]
    x = tensors["transformer.wte.weight"][ids] + tensors["transformer.wpe.weight"][: len(ids)]
    for number in range(config["n_layer"]):
        layer = f"transformer.h.{number}"
        parts = np.split(dense(norm(x, f"{layer}.ln_1"), f"{layer}.attn.c_attn"), 3, axis=-1)
        query, key, value = (part.reshape(len(ids), heads, -1) for part in parts)
        x = x + dense(_attention(query, key, value), f"{layer}.attn.c_proj")
        inner = dense(norm(x, f"{layer}.ln_2"), f"{layer}.mlp.c_fc")
        inner = 0.5 * inner * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)))
        x = x + dense(inner, f"{layer}.mlp.c_proj")
    return norm(x, "transformer.ln_f") @ tensors["transformer.wte.weight"].T


def _llama(config, tensors, ids):
    def dense(x, name):
        return x @ tensors[f"{name}.weight"].T + tensors.get(f"{name}.bias", 0)

    def norm(x, name):
        weight = tensors.get(f"{name}.weight")
        return x if weight is None else x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"]) * weight

    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    angles = np.arange(len(ids))[:, None] * _frequencies(config, size)
    x = tensors["model.embed_tokens.weight"][ids]
    for number in range(config["num_hidden_layers"]):
        layer = f"model.layers.{number}"
        states = norm(x, f"{layer}.input_layernorm")
        query = dense(states, f"{layer}.self_attn.q_proj").reshape(-1, heads, size)
        key = dense(states, f"{layer}.self_attn.k_proj").reshape(-1, kv_heads, size)
        value = dense(states, f"{layer}.self_attn.v_proj").reshape(-1, kv_heads, size)
        query = _rotate(norm(query, f"{layer}.self_attn.q_norm"), angles)
        key = _rotate(norm(key, f"{layer}.self_attn.k_norm"), angles)
        key, value = (np.repeat(part, heads // kv_heads, axis=1) for part in (key, value))
        window = config.get("sliding_window") if config["model_type"] == "mistral" else None
        x = x + dense(_attention(query, key, value, window), f"{layer}.self_attn.o_proj")
        states = norm(x, f"{layer}.post_attention_layernorm")
        gate = dense(states, f"{layer}.mlp.gate_proj")
        x = x + dense(gate / (1 + np.exp(-gate)) * dense(states, f"{layer}.mlp.up_proj"), f"{layer}.mlp.down_proj")
    head = "model.embed_tokens" if config["tie_word_embeddings"] else "lm_head"
    return norm(x, "model.norm") @ tensors[f"{head}.weight"].T


def _frequencies(config, size):
    """Radians a token, for each pair of a head's numbers."""
    frequencies = config.get("rope_theta", 10_000.0) ** (-np.arange(0, size, 2) / size)
    rope = config.get("rope_scaling")
    if not rope:
        return frequencies
    if rope["rope_type"] == "linear":
        return frequencies / rope["factor"]
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * np.pi)  # in the context before
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    share = np.clip((turns - low) / (high - low), 0, 1)  # of what stays as it is
    return frequencies * (share + (1 - share) / rope["factor"])


def _rotate(x, angles):
    """Turns each number of a head's first half with its partner of the second, [tokens, heads, size]."""
    first, second = np.split(x, 2, axis=-1)
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _attention(query, key, value, window=None):
    """Each token sees itself and those before it, the last `window` of them; [tokens, heads * size]."""
    scores = np.einsum("qhd,khd->hqk", query, key) / np.sqrt(query.shape[-1])
    back = np.arange(len(query))[:, None] - np.arange(len(query))
    scores[:, (back < 0) | (back >= (window or len(query)))] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return np.einsum("hqk,khd->qhd", weights, value).reshape(len(query), -1)

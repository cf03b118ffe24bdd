"""Small decoders of KerasHub with random weights, and Keras's own logits with no cache."""

from typing import Any

import numpy as np

from kerasllm.models.causal_models import DecoderShape, build_causal_lm

VOCABULARY, CONTEXT = 61, 32
FAMILIES = ("gpt2", "llama", "mistral", "qwen2", "qwen3")


def small(architecture: str, hidden: int = 64, **changes: Any) -> Any:
    grouped = architecture != "gpt2"
    sizes = {
        "decoder": "small",
        "architecture": architecture,
        "vocab_size": VOCABULARY,
        "layers": 2,
        "heads": 4,
        "kv_heads": 2 if grouped else 4,
        "head_size": hidden // 4,
        "hidden": hidden,
        "intermediate": 48,
        "context": CONTEXT,
        "tied": architecture in ("gpt2", "qwen2"),
        **changes,
    }
    model = build_causal_lm(DecoderShape(**sizes))
    rng = np.random.default_rng(3)
    for weight in model.weights:
        if "seed" not in weight.path:
            scale = 0.4 if len(weight.shape) > 1 else 0.2
            ones = weight.name in ("gamma", "scale")
            weight.assign(rng.normal(float(ones), scale, weight.shape))
    return model


def calm(model: Any) -> Any:
    """The same with matrices a quarter as large: before, its softmaxes are steps, and any rounding turns to noise."""
    for weight in model.weights:
        if len(weight.shape) > 1:
            weight.assign(weight * 0.25)
    return model


def keras_logits(model: Any, ids: list[int]) -> np.ndarray:
    """float32 [tokens, vocabulary], of a text alone."""
    row = np.array([[*ids, 0]], np.int32)  # Keras warns of attention over one token
    return np.asarray(model({"token_ids": row, "padding_mask": np.ones_like(row)}, training=False))[0, :-1]

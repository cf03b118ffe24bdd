"""What the runtime must know of a task beside its model: read off the model where that shows it, else asked for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tokenizers

from .signature import Probe
from .vocabulary import special_tokens

# How near two ways to pool must come to be the same.
_TOLERANCE = 1e-4
_DEFAULTS: dict[str, dict[str, Any]] = {
    "text-classification": {"pair": False},
    "token-classification": {"scheme": "BIO"},
    "question-answering": {"stride": 128, "max_answer": 30, "null": False},
    "feature-extraction": {"pooling": "mean", "normalize": True, "dimensions": 0},
    "fill-mask": {"mask_token": ""},
}


def task_settings(task: str, given: Mapping[str, Any], probe: Probe, tokenizer: tokenizers.Tokenizer) -> dict[str, Any]:
    """The task's settings in the manifest.

    Args:
        task: The Hugging Face name of the task.
        given: What the user, or the RUN, says; the rest is found out or has its default.
        probe: Calls the Keras model.
        tokenizer: Its tokenizer.

    Returns:
        For text-classification "pair" (whether it was trained on two texts); token-classification "scheme";
        question-answering "stride" and "max_answer" in tokens and "null" (whether there may be no answer);
        feature-extraction "pooling", "normalize" and "dimensions"; fill-mask "mask_token".

    Raises:
        ValueError: A setting is of another task or contradicts the model, or the tokenizer has no mask.
    """
    unknown = set(given) - set(_DEFAULTS[task])
    if unknown:
        raise ValueError(
            f"A setting of {task} must be one of {', '.join(_DEFAULTS[task])}. Received: {', '.join(sorted(unknown))}."
        )
    found: dict[str, Any] = {}
    if task == "feature-extraction":
        found = _pooling(probe)
    if task == "fill-mask":
        found = {"mask_token": _mask_token(tokenizer)}
    for name, value in found.items():
        if given.get(name, value) != value:
            raise ValueError(f"The setting {name} must be what the model does, {value!r}. Received: {given[name]!r}.")
    return {**_DEFAULTS[task], **given, **found}


def _pooling(probe: Probe) -> dict[str, Any]:
    """How the model makes a text's vector of its tokens' vectors, by which of the usual ways gives the same."""
    ids = [number for number in range(probe.size) if number != probe.pad][:5]
    answers = dict(zip(probe.outputs, probe.answer(ids), strict=True))
    tokens, vector = answers["last_hidden_state"], answers["sentence_embedding"][0]
    normalize = abs(float(np.linalg.norm(vector)) - 1) < _TOLERANCE
    ways = {"mean": tokens.mean(axis=0), "cls": tokens[0]}
    same = [name for name, pooled in ways.items() if _same(pooled, vector, normalize=normalize)]
    return {"pooling": same[0] if same else "other", "normalize": normalize, "dimensions": len(vector)}


def _same(pooled: np.ndarray, vector: np.ndarray, *, normalize: bool) -> bool:
    if normalize:
        pooled = pooled / max(float(np.linalg.norm(pooled)), 1e-12)
    return pooled.shape == vector.shape and bool(np.allclose(pooled, vector, atol=_TOLERANCE, rtol=0))


def _mask_token(tokenizer: tokenizers.Tokenizer) -> str:
    token = special_tokens(tokenizer).get("mask_token")
    if token is None:
        raise ValueError(
            "The tokenizer of a fill-mask model must have a token for the mask, [MASK] or <mask>. Received: none. "
            "Give the tokenizer that the model was trained with."
        )
    return token

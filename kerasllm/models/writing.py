"""Text from a Keras decoder by the plain loop: the whole row anew for every token, no cache.

Slow and obvious, it shows samples while a model is trained and is what the fast routes of serving are held to.
"""

from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..serving.probabilities import softmax


def write(
    model: Any,
    prompt: list[int],
    *,
    context: int,
    max_new_tokens: int,
    ends: frozenset[int] = frozenset(),
    temperature: float = 0.0,
    seed: int = 0,
) -> list[int]:
    """Goes on after a prompt.

    Args:
        model: A `keras_hub.models.CausalLM`.
        prompt: The ids to go on after, at least one; of more than `context` the last ones are read.
        context: Most tokens that the model reads at once; rows are filled up to it, so there is one shape.
        max_new_tokens: Most tokens to write.
        ends: Ids to stop at; they are not written.
        temperature: What logits are divided by before a token is drawn; 0: always the likeliest.
        seed: Draws the tokens.

    Returns:
        The new ids.
    """
    if not prompt:
        raise ValueError("A prompt must hold at least one token. Received: none. Begin with the end-of-text token.")
    random, ids = np.random.default_rng(seed), list(prompt)
    while len(ids) < len(prompt) + max_new_tokens:
        logits = _next_logits(model, ids[-context:], context)
        if temperature > 0:
            token = int(random.choice(len(logits), p=softmax(logits / temperature)))
        else:
            token = int(logits.argmax())
        if token in ends:
            break
        ids.append(token)
    return ids[len(prompt) :]


def write_text(model: Any, tokenizer: Tokenizer, prompt: str, *, opening: int | None = None, **options: Any) -> str:
    """Goes on after a prompt of text; see `write`.

    Args:
        model: As for `write`.
        tokenizer: The model's own.
        prompt: What to go on after.
        opening: The id that stands before every text in training, if any.
        options: Of `write`.

    Returns:
        What was written, without the prompt.
    """
    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    ids = ids if opening is None else [opening, *ids]
    return tokenizer.decode(write(model, ids, **options), skip_special_tokens=True)


def _next_logits(model: Any, ids: list[int], context: int) -> np.ndarray:
    """The logits after the last id, float64 [vocab_size]; padding on the right is never seen."""
    row = np.zeros((1, context), np.int32)
    row[0, : len(ids)] = ids
    mask = (np.arange(context) < len(ids)).astype(np.int32)[None]
    logits = model.predict_on_batch({"token_ids": row, "padding_mask": mask})
    return np.asarray(logits[0, len(ids) - 1], np.float64)

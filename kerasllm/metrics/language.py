"""How well a model predicts text: perplexity of a token, and bits a byte, which tokenizers can be compared by."""

import math
from typing import Any


def language_metrics(nats: float, right: int, tokens: int, size: int) -> dict[str, Any]:
    """Scores predictions of a text.

    Args:
        nats: Cross-entropy of all tokens together.
        right: Tokens that were the likeliest.
        tokens: Tokens that were asked for.
        size: Bytes of the text in UTF-8.

    Returns:
        What JSON can hold: "tokens", "loss" (nats a token), "log_likelihood" (its negative: the higher, the better),
        "perplexity" (of a token), "bits_per_byte", "token_accuracy" (0 to 1).
    """
    if tokens < 1:
        raise ValueError("There must be at least one token to score. Received: none.")
    loss = nats / tokens
    return {
        "tokens": tokens,
        "loss": loss,
        "log_likelihood": -loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "bits_per_byte": nats / math.log(2) / max(size, 1),
        "token_accuracy": right / tokens,
    }

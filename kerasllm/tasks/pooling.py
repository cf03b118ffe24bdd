"""One vector for a text, of those of its tokens."""

from typing import Any, Literal


def pool(states: Any, attention_mask: Any, pooling: Literal["mean", "cls"]) -> Any:
    """Pools the states of a text's tokens; padding is never seen.

    Args:
        states: float32 [batch, sequence, hidden].
        attention_mask: int32 [batch, sequence], 1 for a token, 0 for padding.
        pooling: The mean over the tokens, or the first one's state.

    Returns:
        float32 [batch, hidden]; zeros for the mean of a row of padding alone.
    """
    from keras import ops

    if pooling == "cls":
        return states[:, 0]
    weights = ops.expand_dims(ops.cast(attention_mask, states.dtype), -1)
    return ops.sum(states * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1)

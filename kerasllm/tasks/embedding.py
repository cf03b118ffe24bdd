"""Feature extraction: an encoder that makes one vector of a text, and its training on pairs of texts."""

from typing import TYPE_CHECKING, Any, Literal

from .pooling import pool

if TYPE_CHECKING:
    import keras

    from ..encoder import Encoder


def embedding_model(encoder: "Encoder", pooling: Literal["mean", "cls"] = "mean") -> "keras.Model":
    """An encoder with one vector a text.

    Args:
        encoder: What reads the text.
        pooling: What stands for the text: the mean of its tokens' states, or the first token's.

    Returns:
        A model from the encoder's inputs, int32 [batch, sequence], to "last_hidden_state" [batch, sequence, hidden] and
        "sentence_embedding" [batch, hidden] of length 1, padding never seen.
    """
    import keras

    inputs = encoder.inputs()
    states = encoder.hidden_state(encoder.backbone(), inputs)
    vector = unit(pool(states, inputs["attention_mask"], pooling))
    return keras.Model(inputs, {"last_hidden_state": states, "sentence_embedding": vector}, name="sentence_encoder")


def unit(vectors: Any) -> Any:
    """Vectors [batch, hidden] scaled to length 1; zeros stay zeros."""
    from keras import ops

    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors / ops.sqrt(ops.maximum(squares, 1e-24))  # the maximum inside: a root has no slope at 0

"""What stands between an encoder's states and the logits: dropout and one dense layer."""

from typing import Any


def dense_head(states: Any, units: int, *, dropout: float, name: str) -> Any:
    """Logits of states.

    Args:
        states: float32 [..., hidden].
        units: Number of logits.
        dropout: Share of each state that is dropped in training, 0 to below 1.
        name: That of the dense layer.

    Returns:
        float32 [..., units].
    """
    import keras

    states = keras.layers.Dropout(dropout, name="head_dropout")(states)
    initializer = keras.initializers.TruncatedNormal(stddev=0.02)  # as the encoder's own layers
    return keras.layers.Dense(units, kernel_initializer=initializer, name=name)(states)

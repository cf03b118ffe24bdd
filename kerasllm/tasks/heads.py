"""What stands between an encoder's states and the logits: dropout and one dense layer."""

from typing import Any


def check_share(name: str, value: float) -> None:
    """Raises ValueError for a share that leaves nothing, or is none."""
    if not 0 <= value < 1:
        raise ValueError(f"`{name}` must be from 0 to below 1. Received: {value}.")


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

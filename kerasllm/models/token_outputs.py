"""What a Keras model gives for every token of every row."""

from typing import Any

import numpy as np

from ..data.batches import BatchConfig, evaluation_order, pad, steps
from ..data.tokens import TokenSplit


def token_outputs(model: Any, split: TokenSplit, config: BatchConfig) -> list[dict[str, np.ndarray]]:
    """Runs a model on all rows of a split.

    Args:
        model: A `keras.Model` with outputs [batch, sequence, ...].
        split: The rows.
        config: How they are put together.

    Returns:
        For each row, name of the output ("logits" where it has no name of its own) to float32 [tokens, ...].
    """
    results: list[dict[str, np.ndarray]] = [{}] * len(split)
    for rows in np.array_split(evaluation_order(split, config), steps(split, config)):
        found = model.predict_on_batch(pad(split, rows, config.multiple))
        named = found if isinstance(found, dict) else {"logits": found}
        for place, row in enumerate(rows):
            length = split.offsets[row + 1] - split.offsets[row]
            results[row] = {name: values[place, :length].astype(np.float32) for name, values in named.items()}
    return results

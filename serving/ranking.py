"""The best of many scores."""

import numpy as np


def largest(values: np.ndarray, count: int) -> np.ndarray:
    """Places of the largest values.

    Args:
        values: [values], without NaN.
        count: How many to give, at least 1.

    Returns:
        int64 [count], or fewer where there are fewer values: largest first, of equal ones the earlier first.
    """
    places = np.arange(len(values))
    if count < len(values):  # sorting a vocabulary takes longer than the model; sorting its best does not
        places = np.flatnonzero(values >= np.partition(values, -count)[-count])
    return places[np.argsort(-values[places], kind="stable")[:count]]

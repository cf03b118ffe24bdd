"""What the graph reads of an input, apart from the graph: training cuts texts the same way, without onnxruntime."""

from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """What the graph reads of one text, or of two that were joined."""

    ids: np.ndarray
    """Token ids, integers [tokens]."""
    types: np.ndarray | None = None
    """Segment of every token, integers [tokens]: 0 for the first text, 1 for the second. None: all 0."""

"""Hold the graph of standard operators to Keras: serving has no use for it, so it is run as other programs run it."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from .reading import CausalParts
from .verification import Continued, check_parity


def measure_standard(model: Any, parts: CausalParts, file: Path, prompts: list[list[int]]) -> dict[str, Any]:
    """Parity of a graph that concatenates past and new keys, each row alone: a prompt, and then token after token.

    Args:
        model: The Keras model.
        parts: The same, read.
        file: The graph.
        prompts: Token ids of some texts, two at least in each.

    Returns:
        The record of the manifest, "parity".

    Raises:
        ExportError: Logits differ from Keras's.
    """
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return {"parity": check_parity(model, Continued(prompts, [_logits(session, parts, row) for row in prompts]))}


def _logits(session: onnxruntime.InferenceSession, parts: CausalParts, row: list[int]) -> np.ndarray:
    """Of all but the last two tokens at once, and then of each of these."""
    names = [node.name for node in session.get_inputs() if node.name.startswith("past")]
    past = {name: np.zeros((1, parts.kv_heads, 0, parts.head_size), np.float32) for name in names}
    bounds, found = sorted({0, max(0, len(row) - 2), len(row) - 1, len(row)}), []
    for start, end in pairwise(bounds):
        feed = {
            "input_ids": np.array([row[start:end]], np.int64),
            "attention_mask": np.ones((1, end), np.int64),
            "position_ids": np.arange(start, end)[None],
        }
        logits, *present = session.run(None, feed | past)
        past = dict(zip(names, present, strict=True))
        found.append(logits[0])
    return np.concatenate(found)

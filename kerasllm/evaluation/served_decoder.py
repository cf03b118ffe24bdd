"""A decoder's RUN where a served one is scored: Keras computes the logits."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from ..run import Run


class KerasDecoder:
    """What scoring asks of a `TextGenerator`."""

    start: int | None = None

    def __init__(self, run: Run) -> None:
        """Loads the model of a run for text-generation."""
        self.model, self.tokenizer = run.load_model(), run.load_tokenizer()
        self._length = run.max_length
        self.graph = SimpleNamespace(task=run.task, context=run.config["decoder"]["context"])

    def logits(self, ids: Any) -> np.ndarray:
        """Logits after every token of a text: float32 [tokens, vocabulary]."""
        width = max(len(ids) + 1, self._length)  # one shape for most rows
        padded = np.zeros((1, width), np.int32)
        padded[0, : len(ids)] = ids
        mask = (np.arange(width) < len(ids)).astype(np.int32)[None]
        logits = self.model.predict_on_batch({"token_ids": padded, "padding_mask": mask})
        return np.asarray(logits, np.float32)[0, : len(ids)]

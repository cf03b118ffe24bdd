"""Text classification: texts in, labels with scores out."""

from collections.abc import Iterator, Sequence
from types import EllipsisType
from typing import Any

import numpy as np
import onnxruntime
import tokenizers

from ..tokenizer import encode
from .manifest import Manifest, Preprocessing

# Rows of one run of the graph: enough to fill the matrix products; more gained nothing (kerasllm bench).
BATCH_SIZE = 32
_DTYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32, "tensor(bool)": np.bool_}


class TextClassifier:
    """A served classifier. It holds no state between calls, so threads may share it.

    Calling it gives what a Hugging Face text-classification pipeline gives.
    """

    def __init__(self, session: onnxruntime.InferenceSession, tokenizer: tokenizers.Tokenizer, manifest: Manifest):
        """Binds the graph to its tokenizer.

        Args:
            session: The graph; its first output is [batch, labels], or [batch, 1] for one score of two labels.
            tokenizer: Its tokenizer, used by this classifier alone (limits are set on it).
            manifest: The manifest of the bundle.
        """
        self.session = session
        self.labels = manifest.labels
        self.multi_label = manifest.multi_label
        self.tokenizer = tokenizer
        self.preprocessing = manifest.preprocessing
        self._activation = manifest.activation
        types = {node.name: _DTYPES[node.type] for node in session.get_inputs()}
        self._inputs = [(role, name, types[name]) for role, name in manifest.inputs.items()]
        self._output = [session.get_outputs()[0].name]
        tokenizer.no_padding()
        encode(tokenizer, [], manifest.preprocessing.max_length)  # sets the limit, before threads share it

    def __call__(self, texts: str | Sequence[str], *, top_k: int | EllipsisType | None = ...) -> list[Any]:
        """Classifies one text or several.

        Args:
            texts: A text, or a list of them. An empty one is answered like a text of one unknown word.
            top_k: How many labels to give, best first; None: all. Left out: the best one, without a list around it.

        Returns:
            For a text: [{"label", "score"}], as many as asked for. For a list: one {"label", "score"} a text,
            or a list of them a text where `top_k` is given.

        Raises:
            TypeError: `texts` is neither a string nor a list of strings.
            ValueError: `top_k` is not positive.
        """
        if isinstance(top_k, int) and top_k < 1:
            raise ValueError(f"top_k must be at least 1, or None for all labels. Received: {top_k}.")
        one = isinstance(texts, str)
        rows = self.probabilities([texts] if isinstance(texts, str) else texts)
        if top_k is ...:
            return [self._entry(row, int(row.argmax())) for row in rows]
        ranked = [[self._entry(row, int(i)) for i in np.argsort(-row, kind="stable")[:top_k]] for row in rows]
        return ranked[0] if one else ranked

    def probabilities(self, texts: Sequence[str], batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The scores of every label.

        Args:
            texts: The texts.
            batch_size: Texts of one run of the graph; they are sorted by length first, since padding is pure loss.

        Returns:
            float32 [texts, labels], each in 0..1, in the order of `texts`.

        Raises:
            TypeError: `texts` is not a list of strings.
            ValueError: `batch_size` is not positive.
        """
        ids = self.tokenize(texts)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: {batch_size}.")
        if len(ids) == 1:  # the common call on the edge: nothing to sort, nothing to pad
            return self.run(ids)
        scores = np.empty((len(ids), len(self.labels)), np.float32)
        order = np.argsort([len(row) for row in ids], kind="stable")
        for piece in _pieces(order, batch_size):
            scores[piece] = self.run([ids[i] for i in piece])
        return scores

    def tokenize(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Token ids of every text, cut to the length limit.

        Args:
            texts: The texts.

        Returns:
            int32 [tokens] a text, without padding, of at least one token.

        Raises:
            TypeError: `texts` is not a list of strings.
        """
        if isinstance(texts, (str, bytes)) or not isinstance(texts, Sequence):
            raise TypeError(f"Texts must be a list of strings. Received: {type(texts).__name__}.")
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"A text must be a string. Received: {type(text).__name__} at position {index}.")
        return encode(self.tokenizer, texts, self.preprocessing.max_length)

    def run(self, ids: Sequence[np.ndarray]) -> np.ndarray:
        """Runs the graph once and makes probabilities of its output.

        Args:
            ids: Token ids of every row, integers [tokens] of any lengths.

        Returns:
            float32 [rows, labels], each in 0..1.
        """
        scores = _activate(self.outputs(ids), self._activation)
        if scores.shape[-1] == 1 and len(self.labels) == 2:  # one score: that of the second label
            scores = np.concatenate([1 - scores, scores], axis=-1)
        return scores

    def outputs(self, ids: Sequence[np.ndarray]) -> np.ndarray:
        """Runs the graph once; its output as it is: float32 [rows, labels], or [rows, 1]. There must be a row."""
        if not len(ids):  # onnxruntime's LSTM crashes the process on an empty batch
            raise ValueError("A run needs at least one row. Received: none.")
        arrays = pad(ids, self.preprocessing)
        feed: dict[str, np.ndarray] = {n: arrays[role].astype(dtype, copy=False) for role, n, dtype in self._inputs}
        return self.session.run(self._output, feed)[0].astype(np.float32, copy=False)

    def _entry(self, row: np.ndarray, index: int) -> dict[str, Any]:
        return {"label": self.labels[index], "score": float(row[index])}


def pad(ids: Sequence[np.ndarray], preprocessing: Preprocessing) -> dict[str, np.ndarray]:
    """Pads rows of token ids to one length.

    Args:
        ids: Token ids of every row, integers [tokens], none longer than the limit.
        preprocessing: Padding id, side and length.

    Returns:
        "input_ids" and "attention_mask" (1 for a token, 0 for padding), int64 [rows, length]; length is at least 1.
    """
    if len(ids) == 1 and len(ids[0]) and preprocessing.padding == "longest":
        only = np.asarray(ids[0], np.int64)[None]
        return {"input_ids": only, "attention_mask": np.ones_like(only)}
    longest = max(1, *(len(row) for row in ids))
    length = preprocessing.max_length if preprocessing.padding == "max_length" else longest
    tokens = np.full((len(ids), length), preprocessing.pad_token_id, np.int64)
    mask = np.zeros_like(tokens)
    for index, row in enumerate(ids):
        place = slice(0, len(row)) if preprocessing.padding_side == "right" else slice(length - len(row), length)
        tokens[index, place] = row
        mask[index, place] = 1
    return {"input_ids": tokens, "attention_mask": mask}


def _pieces(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _activate(outputs: np.ndarray, activation: str) -> np.ndarray:
    """Probabilities from the graph's outputs, [rows, labels]."""
    if activation == "softmax":
        powers = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)
    if activation == "sigmoid":
        return 0.5 + 0.5 * np.tanh(0.5 * outputs)  # the logistic function, without overflow
    return outputs

"""Text classification: texts, or pairs of texts, in; labels with scores out."""

from collections.abc import Sequence
from types import EllipsisType
from typing import Any

import numpy as np
import tokenizers

from ..tokenizing.tokenizer import encode
from .graph import BATCH_SIZE, Graph, Row
from .manifest import Manifest
from .probabilities import sigmoid, softmax
from .ranking import largest
from .texts import check_texts, is_one, pair_rows, single_rows


class TextClassifier:
    """A served classifier. It holds no state between calls, so threads may share it.

    Calling it gives what a Hugging Face text-classification pipeline gives.
    """

    def __init__(self, graph: Graph, tokenizer: tokenizers.Tokenizer, manifest: Manifest):
        """Binds the graph to its tokenizer.

        Args:
            graph: The graph; its first output is [batch, labels], or [batch, 1] for one score of two labels.
            tokenizer: Its tokenizer, used by this classifier alone (limits are set on it).
            manifest: The manifest of the bundle.
        """
        self.graph = graph
        self.session = graph.session
        self.labels = manifest.labels
        self.multi_label = manifest.multi_label
        self.pair: bool = manifest.setting("pair", False)
        self.tokenizer = tokenizer
        self.preprocessing = manifest.preprocessing
        self._activation = manifest.activation
        self._output = graph.outputs[:1]
        tokenizer.no_padding()
        encode(tokenizer, [], manifest.preprocessing.max_length)  # sets the limit, before threads share it

    def __call__(self, texts: Any, *, top_k: int | EllipsisType | None = ..., truncation: bool = True) -> list[Any]:
        """Classifies one text or several.

        Args:
            texts: A text, or a list of them. An empty one is answered like a text of one unknown word. A model of
                pairs takes {"text", "text_pair"} or a tuple of two strings for a text.
            top_k: How many labels to give, best first; None: all. Left out: the best one, without a list around it.
            truncation: Whether a text that is too long is cut at the end, as in training, instead of refused.

        Returns:
            For a text: [{"label", "score"}], as many as asked for. For a list: one {"label", "score"} a text,
            or a list of them a text where `top_k` is given.

        Raises:
            TypeError: `texts` is neither a text nor a list of texts.
            ValueError: `top_k` is not positive, or a text is too long.
        """
        if isinstance(top_k, int) and top_k < 1:
            raise ValueError(f"top_k must be at least 1, or None for all labels. Received: {top_k}.")
        one = is_one(texts)
        scores = self.scores(self.rows([texts] if one else texts, truncation=truncation), BATCH_SIZE)
        if top_k is ...:
            return [self._entry(row, int(row.argmax())) for row in scores]
        ranked = [[self._entry(row, int(i)) for i in largest(row, top_k or len(row))] for row in scores]
        return ranked[0] if one else ranked

    def probabilities(self, texts: Sequence[Any], batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The scores of every label.

        Args:
            texts: The texts (or pairs).
            batch_size: Most texts of one run of the graph; they are sorted by length first, since padding is pure loss.

        Returns:
            float32 [texts, labels], each in 0..1, in the order of `texts`.

        Raises:
            TypeError: `texts` is not a list of texts.
            ValueError: `batch_size` is not positive.
        """
        return self.scores(self.rows(texts), batch_size)

    def rows(self, texts: Sequence[Any], *, truncation: bool = True) -> list[Row]:
        """What the graph reads of every text.

        Args:
            texts: The texts (or pairs).
            truncation: As for a call.

        Returns:
            A row a text, without padding, of at least one token.

        Raises:
            TypeError: `texts` is not a list of texts.
            ValueError: A text is too long.
        """
        make = pair_rows if self.pair else single_rows
        return make(self.tokenizer, check_texts(texts), self.preprocessing.max_length, truncation=truncation)

    def tokenize(self, texts: Sequence[Any]) -> list[np.ndarray]:
        """Token ids of every text, cut to the length limit: integers [tokens], as `rows` has them."""
        return [row.ids for row in self.rows(texts)]

    def run(self, rows: Sequence[Row | np.ndarray]) -> np.ndarray:
        """Runs the graph once and makes probabilities of its output.

        Args:
            rows: Rows, or the token ids alone, of any lengths.

        Returns:
            float32 [rows, labels], each in 0..1.
        """
        scores = _activate(self.outputs(rows), self._activation)
        if scores.shape[-1] == 1 and len(self.labels) == 2:  # one score: that of the second label
            scores = np.concatenate([1 - scores, scores], axis=-1)
        return scores

    def outputs(self, rows: Sequence[Row | np.ndarray]) -> np.ndarray:
        """Runs the graph once; its output as it is: float32 [rows, labels], or [rows, 1]. There must be a row."""
        given = [row if isinstance(row, Row) else Row(row) for row in rows]
        return self.graph.run(given, self._output)[self._output[0]]

    def scores(self, rows: Sequence[Row], batch_size: int = BATCH_SIZE) -> np.ndarray:
        """The same of rows, any number of them: float32 [rows, labels]."""
        if len(rows) == 1:  # the common call on the edge: nothing to sort
            return self.run(rows)
        scores = np.empty((len(rows), len(self.labels)), np.float32)
        for piece in self.graph.pieces(rows, batch_size):
            scores[piece] = self.run([rows[place] for place in piece])
        return scores

    def _entry(self, row: np.ndarray, index: int) -> dict[str, Any]:
        return {"label": self.labels[index], "score": float(row[index])}


def _activate(outputs: np.ndarray, activation: str) -> np.ndarray:
    """Probabilities from the graph's outputs, [rows, labels]."""
    if activation == "softmax":
        return softmax(outputs)
    if activation == "sigmoid":
        return sigmoid(outputs)
    return outputs

"""Feature extraction: texts in, a vector each out."""

from collections.abc import Sequence

import numpy as np
import tokenizers

from ..tokenizing.tokenizer import encode
from .errors import BundleError
from .graph import BATCH_SIZE, Graph, Row
from .manifest import Manifest
from .texts import check_texts, single_rows

_POOLED, _TOKENS = "sentence_embedding", "last_hidden_state"
_TINY = 1e-12


class TextEmbedder:
    """A served sentence encoder. It holds no state between calls, so threads may share it."""

    def __init__(self, graph: Graph, tokenizer: tokenizers.Tokenizer, manifest: Manifest):
        """Binds the graph to its tokenizer.

        Args:
            graph: The graph; its output is "sentence_embedding" [batch, hidden], or else "last_hidden_state" [batch,
                sequence, hidden], which is pooled here.
            tokenizer: Its tokenizer, used by this embedder alone (limits are set on it).
            manifest: The manifest of the bundle; its settings are "pooling" ("mean" or "cls") and "normalize".

        Raises:
            BundleError: The graph has no such output, or has to be pooled in a way that is not known.
        """
        self.graph = graph
        self.labels = manifest.labels
        self.tokenizer = tokenizer
        self.preprocessing = manifest.preprocessing
        self._output = _POOLED if _POOLED in graph.outputs else _TOKENS
        self._pooling = manifest.setting("pooling", "mean")
        self._normalize: bool = manifest.setting("normalize", True)
        if self._output not in graph.outputs:
            raise BundleError(
                f"A graph for feature-extraction must have the output {_POOLED} or {_TOKENS}. "
                f"Received: {', '.join(graph.outputs)}."
            )
        if self._output == _TOKENS and self._pooling not in ("mean", "cls"):
            raise BundleError(f"The pooling must be 'mean' or 'cls'. Received: {self._pooling!r}.")
        tokenizer.no_padding()
        encode(tokenizer, [], manifest.preprocessing.max_length)  # sets the limit, before threads share it

    def __call__(self, texts: str | Sequence[str], *, truncation: bool = True) -> np.ndarray:
        """Makes vectors of one text or several.

        Args:
            texts: A text, or a list of them.
            truncation: Whether a text that is too long is cut at the end instead of refused.

        Returns:
            For a list: float32 [texts, hidden], in the order of the texts; for a text: [hidden]. Of length 1 each,
            where the model normalises.

        Raises:
            TypeError: `texts` is neither a string nor a list of strings.
            ValueError: A text is too long.
        """
        if isinstance(texts, str):
            return self.vectors(self.rows([texts], truncation=truncation))[0]
        return self.vectors(self.rows(texts, truncation=truncation))

    def rows(self, texts: Sequence[str], *, truncation: bool = True) -> list[Row]:
        """What the graph reads of every text: a row a text, without padding."""
        return single_rows(self.tokenizer, check_texts(texts), self.preprocessing.max_length, truncation=truncation)

    def vectors(self, rows: Sequence[Row], batch_size: int = BATCH_SIZE) -> np.ndarray:
        """Vectors of rows.

        Args:
            rows: The rows.
            batch_size: Most rows of one run of the graph.

        Returns:
            float32 [rows, hidden].
        """
        vectors: np.ndarray | None = None
        for piece in self.graph.pieces(rows, batch_size):
            found = self.run([rows[place] for place in piece])
            if vectors is None:
                vectors = np.empty((len(rows), found.shape[1]), np.float32)
            vectors[piece] = found
        return np.empty((0, self._width()), np.float32) if vectors is None else vectors

    def run(self, rows: Sequence[Row]) -> np.ndarray:
        """Runs the graph once: float32 [rows, hidden]. There must be a row."""
        values = self.graph.run(rows, [self._output])[self._output]
        if self._output == _POOLED:
            return values
        pooled = np.stack([self._pool(value, len(row.ids)) for value, row in zip(values, rows, strict=True)])
        if self._normalize:
            pooled /= np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), _TINY)
        return pooled

    def _pool(self, values: np.ndarray, tokens: int) -> np.ndarray:
        """One vector of a row's vectors, [length, hidden] with padding."""
        own = self.graph.own(values, tokens)
        return own[0] if self._pooling == "cls" else own.mean(axis=0)

    def _width(self) -> int:
        """Numbers of a vector, as the graph declares it; 0 where it does not."""
        shapes = {node.name: node.shape for node in self.graph.session.get_outputs()}
        width = shapes[self._output][-1]
        return width if isinstance(width, int) else 0

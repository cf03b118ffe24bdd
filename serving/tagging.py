"""Token classification: texts in, named entities with their places in the text out."""

from collections.abc import Sequence
from typing import Any

import tokenizers

from .entities import read_entities
from .graph import Graph, Row
from .manifest import Manifest
from .texts import check_text, check_texts, chunks, encode_whole
from .windows import STRIDE, Window, cut_windows, merge_windows


class TokenClassifier:
    """A served tagger. It holds no state between calls, so threads may share it.

    Calling it gives what a Hugging Face token-classification pipeline gives with its entities grouped. A word is what
    the tokenizer's pre-tokenizer calls one, and its first piece speaks for it. Texts longer than the model reads are
    read in overlapping windows; each word is judged where it has most context.
    """

    def __init__(self, graph: Graph, tokenizer: tokenizers.Tokenizer, manifest: Manifest):
        """Binds the graph to its tokenizer.

        Args:
            graph: The graph; its output "logits" is [batch, sequence, labels].
            tokenizer: Its tokenizer, used by this tagger alone.
            manifest: The manifest of the bundle.
        """
        self.graph = graph
        self.labels = manifest.labels
        self.tokenizer = tokenizer
        self.preprocessing = manifest.preprocessing
        tokenizer.no_padding()
        tokenizer.no_truncation()

    def __call__(self, texts: str | Sequence[str]) -> list[Any]:
        """Finds the entities of one text or several.

        Args:
            texts: A text, or a list of them.

        Returns:
            For a text: its entities in order, each {"entity_group", "score", "word", "start", "end"}. `word` is
            text[start:end], and `score` the mean over its words, 0 to 1. For a list: such a list a text.

        Raises:
            TypeError: `texts` is neither a string nor a list of strings.
            ValueError: A text is too long to be read.
        """
        if isinstance(texts, str):
            return self._read([check_text(texts)])[0]
        return [entities for chunk in chunks(check_texts(texts)) for entities in self._read(chunk)]

    def rows(self, texts: Sequence[str]) -> list[Row]:
        """What the graph reads of the texts: a row a window, in order."""
        encodings = encode_whole(self.tokenizer, check_texts(texts))
        return [window.row for encoding in encodings for window in self._windows(encoding)]

    def _read(self, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
        """The entities of each text."""
        encodings = encode_whole(self.tokenizer, texts)
        windows = [self._windows(encoding) for encoding in encodings]
        results = iter(self.graph.run_all([window.row for each in windows for window in each], ["logits"]))
        return [
            read_entities(text, encoding, merge_windows(each, [next(results)["logits"] for _ in each]), self.labels)
            for text, encoding, each in zip(texts, encodings, windows, strict=True)
        ]

    def _windows(self, encoding: tokenizers.Encoding) -> list[Window]:
        return cut_windows(encoding, self.preprocessing.max_length, STRIDE)

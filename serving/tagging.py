"""Token classification: texts in, named entities with their places in the text out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tokenizers

from .graph import Graph, Row
from .manifest import Manifest
from .spans import bio_spans, first_pieces, trim, word_offsets
from .texts import check_text, check_texts, chunks, encode_whole
from .windows import Window, cut_windows

# Tokens that neighbouring windows of a long text share.
STRIDE = 128


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
            self._entities(text, encoding, merge_windows(each, [next(results)["logits"] for _ in each]))
            for text, encoding, each in zip(texts, encodings, windows, strict=True)
        ]

    def _windows(self, encoding: tokenizers.Encoding) -> list[Window]:
        return cut_windows(encoding, self.preprocessing.max_length, STRIDE)

    def _entities(self, text: str, encoding: tokenizers.Encoding, logits: np.ndarray) -> list[dict[str, Any]]:
        """Entities of one text from the logits of its tokens, special ones not among them: [tokens, labels]."""
        own = [place for place, sequence in enumerate(encoding.sequence_ids) if sequence is not None]
        ids, offsets = encoding.word_ids, encoding.offsets
        words, places = [ids[place] for place in own], [offsets[place] for place in own]
        logits = logits[first_pieces(words)]
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=0))
        scores = powers.max(axis=-1, initial=0) / powers.sum(axis=-1)
        bounds = word_offsets(places, words)
        entities = []
        for name, start, end in bio_spans([self.labels[label] for label in logits.argmax(axis=-1)]):
            first, last = trim(text, int(bounds[start, 0]), int(bounds[end - 1, 1]))
            score = float(scores[start:end].mean())
            entities.append(
                {"entity_group": name, "score": score, "word": text[first:last], "start": first, "end": last}
            )
        return entities


def merge_windows(windows: Sequence[Window], values: Sequence[np.ndarray]) -> np.ndarray:
    """One value a token of the whole text, of the window where the token is farthest from an edge.

    Args:
        windows: The windows of a text.
        values: What the model gives for each row: [tokens of the row, ...].

    Returns:
        [tokens of the text, ...], special tokens not among them.
    """
    inner = [value[window.inside] for window, value in zip(windows, values, strict=True)]
    if len(inner) == 1:
        return inner[0]
    tokens = windows[-1].first + len(inner[-1])
    merged = np.empty((tokens, *inner[0].shape[1:]), inner[0].dtype)
    context = np.full(tokens, -1)
    for window, value in zip(windows, inner, strict=True):
        place = slice(window.first, window.first + len(value))
        here = np.minimum(np.arange(len(value)), np.arange(len(value))[::-1])
        better = here > context[place]
        merged[place][better], context[place][better] = value[better], here[better]
    return merged

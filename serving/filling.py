"""Fill-mask: texts with a masked token in, likely tokens for it out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tokenizers

from ..tokenizing.tokenizer import encode
from .errors import BundleError
from .graph import Graph, Row
from .manifest import Manifest
from .probabilities import softmax
from .ranking import largest
from .texts import check_texts, single_rows


class MaskFiller:
    """A served masked language model. It holds no state between calls, so threads may share it.

    Calling it gives what a Hugging Face fill-mask pipeline gives.
    """

    def __init__(self, graph: Graph, tokenizer: tokenizers.Tokenizer, manifest: Manifest):
        """Binds the graph to its tokenizer.

        Args:
            graph: The graph; its output "logits" is [batch, sequence, vocabulary].
            tokenizer: Its tokenizer, used by this filler alone (limits are set on it).
            manifest: The manifest of the bundle; its setting is "mask_token".

        Raises:
            BundleError: The tokenizer has no such token.
        """
        self.graph = graph
        self.labels = manifest.labels
        self.tokenizer = tokenizer
        self.preprocessing = manifest.preprocessing
        self.mask_token: str = manifest.setting("mask_token", "[MASK]")
        mask = tokenizer.token_to_id(self.mask_token)
        if mask is None:
            raise BundleError(
                f"The tokenizer of a fill-mask bundle must have the token {self.mask_token!r}. It has not."
            )
        self._mask = mask
        tokenizer.no_padding()
        encode(tokenizer, [], manifest.preprocessing.max_length)  # sets the limit, before threads share it

    def __call__(self, texts: str | Sequence[str], *, top_k: int = 5) -> list[Any]:
        """Fills the masks of one text or several.

        Args:
            texts: A text with the mask token in it, or a list of them.
            top_k: How many tokens to give for a mask.

        Returns:
            For a text: [{"score", "token", "token_str", "sequence"}], best first; with several masks, such a list a
            mask, each filled alone. For a list: one of these a text.

        Raises:
            TypeError: `texts` is neither a string nor a list of strings.
            ValueError: A text has no mask, or is too long: what is cut off might be the mask.
        """
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1. Received: {top_k}.")
        one = isinstance(texts, str)
        rows = self.rows([texts] if isinstance(texts, str) else texts)
        filled: list[Any] = [None] * len(rows)
        for place, values in self.graph.run_each(rows, ["logits"]):
            filled[place] = self._fill(rows[place].ids, values["logits"], top_k)
        return filled[0] if one else filled

    def rows(self, texts: Sequence[str]) -> list[Row]:
        """What the graph reads of every text: a row a text, without padding."""
        limit = self.preprocessing.max_length
        rows = single_rows(self.tokenizer, check_texts(texts), limit, truncation=False)
        for index, row in enumerate(rows):
            if self._mask not in row.ids:
                raise ValueError(f"A text must hold the mask, {self.mask_token}. Received: none at position {index}.")
        return rows

    def _fill(self, ids: np.ndarray, logits: np.ndarray, top_k: int) -> list[Any]:
        """Tokens for each mask of a row, from its logits [tokens, vocabulary]; of one mask alone without a list."""
        places = np.flatnonzero(ids == self._mask)
        filled = [self._entries(ids, int(place), logits[place], top_k, len(places) == 1) for place in places]
        return filled[0] if len(places) == 1 else filled

    def _entries(self, ids: np.ndarray, place: int, logits: np.ndarray, top_k: int, only: bool) -> list[dict[str, Any]]:
        """The best tokens for a place; other masks stay in the sequence, and the special tokens with them."""
        scores = softmax(logits)
        entries = []
        for token in largest(scores, top_k).tolist():
            sequence = ids.copy()
            sequence[place] = token
            entries.append(
                {
                    "score": float(scores[token]),
                    "token": token,
                    "token_str": self.tokenizer.decode([token], skip_special_tokens=False),
                    "sequence": self.tokenizer.decode(sequence.tolist(), skip_special_tokens=only),
                }
            )
        return entries

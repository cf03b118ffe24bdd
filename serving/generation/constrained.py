"""Output that fits a JSON schema, through llguidance, which knows at every token what may come next."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tokenizers

from ...extras import require

_EXTRA = "constrained"
# Spaces as json.dumps writes them: where any may come, a small model writes them for ever.
_SPACING = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


class Grammars:
    """Makes constraints for one tokenizer. Making it takes a moment; threads may share it."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, vocab_size: int, ends: Sequence[int]) -> None:
        """Reads the vocabulary.

        Args:
            tokenizer: The tokenizer.
            vocab_size: Number of logits.
            ends: The tokens that end a text, one at least.

        Raises:
            ImportError: llguidance is not installed.
            ValueError: No token ends a text, or the tokenizer is of a kind that llguidance does not read.
        """
        library = require(_EXTRA, "llguidance")
        if not ends:
            raise ValueError("A constrained text needs a token that ends it. Received: a model without one.")
        self._vocab_size = vocab_size
        try:
            self._tokenizer = library.LLTokenizer(tokenizer.to_str(), n_vocab=vocab_size, eos_token=list(ends))
        except Exception as error:  # it raises bare exceptions
            raise ValueError(f"llguidance cannot read the tokenizer of this bundle: {error}.") from error

    def json(self, schema: Mapping[str, Any] | str) -> "GrammarConstraint":
        """The constraint of a JSON schema.

        Args:
            schema: The schema, or its JSON text.

        Raises:
            ValueError: It is no JSON object, or says what llguidance does not know.
        """
        try:
            document = json.loads(schema) if isinstance(schema, str) else dict(schema)
            text = json.dumps(document)
        except (ValueError, TypeError) as error:
            raise ValueError(f"json_schema must be a JSON object. Received: {error}.") from None
        if not isinstance(document, dict):
            raise ValueError(f"json_schema must be a JSON object. Received: {type(document).__name__}.")
        library = require(_EXTRA, "llguidance")
        grammar = library.LLMatcher.grammar_from_json_schema(text, defaults=_SPACING)
        matcher = library.LLMatcher(self._tokenizer, grammar)
        return GrammarConstraint(matcher, self._vocab_size)


class GrammarConstraint:
    """What may come next in one text."""

    def __init__(self, matcher: Any, vocab_size: int) -> None:
        self._matcher = matcher
        self._size = vocab_size
        self._check("json_schema cannot be followed")

    def banned(self) -> np.ndarray:
        """Booleans [vocabulary]: the tokens that may not come next."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._check("The text left its JSON schema")
        return np.unpackbits(bits, count=self._size, bitorder="little") == 0

    def push(self, token: int) -> None:
        """Goes on with a token."""
        self._matcher.consume_token(token)
        self._check("The text left its JSON schema")

    @property
    def finished(self) -> bool:
        """Whether nothing more may come."""
        return bool(self._matcher.is_stopped())

    def _check(self, what: str) -> None:
        if self._matcher.is_error():
            reason = self._matcher.get_error().strip().splitlines()[0]
            raise ValueError(f"{what}. Received from llguidance: {reason}.")

"""One text that is being written: which token comes next, what text that makes, and when it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .detokenizer import TokenText
from .lookup import PromptLookup
from .options import GenerationOptions
from .sampling import Sampler, TokenScore, score
from .stopping import StopStrings


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A written text."""

    text: str
    """What comes after the prompt, without the stop string."""
    token_ids: list[int]
    """Its tokens, without the one that ended it; where a stop string did, with its own."""
    finish_reason: str
    """"stop": it ended by itself or by a stop string; "length": there was no room for more."""
    prompt_tokens: int
    """Tokens of the prompt."""
    logprobs: list[TokenScore] | None = None
    """The log probability of every token, if asked for."""
    top_logprobs: list[list[TokenScore]] | None = None
    """Those of the most likely tokens at every place, if asked for."""
    score: float | None = None
    """Of beam search: what the beams were compared by."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """What a step of a stream brings."""

    text: str
    """Whole characters, none of a stop string."""
    token_ids: list[int]
    """The tokens since the last piece."""
    finish_reason: str | None = None
    """Of the last piece: why the text ends."""


class Constraint(Protocol):
    """What may come next, beyond the model's own taste."""

    def banned(self) -> np.ndarray:
        """Booleans [vocabulary]: the tokens that may not come next."""

    def push(self, token: int) -> None:
        """Goes on with a token."""

    @property
    def finished(self) -> bool:
        """Whether nothing more may come."""


class Continuation:
    """A text in progress. `take` is all that a step asks of it."""

    def __init__(
        self,
        prompt: Sequence[int],
        options: GenerationOptions,
        text: TokenText,
        *,
        ends: frozenset[int],
        room: int,
        vocab_size: int,
        sample: int = 0,
        constraint: Constraint | None = None,
    ) -> None:
        """Starts a text after a prompt.

        Args:
            prompt: Token ids.
            options: What is asked for.
            text: What tokens mean.
            ends: The tokens that end a text.
            room: Most tokens that the context has room for.
            vocab_size: Number of logits.
            sample: Which of the texts of this prompt it is.
            constraint: What the text must obey.
        """
        self.prompt = prompt
        self.options = options
        self.token_ids: list[int] = []
        self.logprobs: list[TokenScore] = []
        self.top_logprobs: list[list[TokenScore]] = []
        self.finish_reason: str | None = None
        self.error: Exception | None = None  # what ended the text before its time
        self._pieces: list[str] = []
        self._ends, self._banned_ends = ends, sorted(ends)
        self._limit = min(room, options.max_new_tokens)
        self._sampler = Sampler(options, prompt, vocab_size, sample)
        self._detokenizer = text.start(prompt)
        self._stops = StopStrings(options.stops)
        self._constraint = constraint
        self._streamed = 0, 0
        count = options.prompt_lookup_num_tokens
        self._lookup = PromptLookup(prompt, count) if count else None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.finish_reason is not None or self.error is not None

    def take(self, logits: np.ndarray) -> int:
        """Chooses the next token by the logits float32 [vocabulary] and writes it; gives its id."""
        banned: Sequence[int] | np.ndarray = ()
        if self._constraint is not None:
            banned = self._constraint.banned()
        elif len(self.token_ids) < self.options.min_new_tokens:
            banned = self._banned_ends
        token = self._sampler.choose(logits, banned)
        if token in self._ends:
            self._finish("stop")
            return token
        self.token_ids.append(token)
        if self._lookup is not None:
            self._lookup.push(token)
        if self.options.logprobs:
            chosen, others = score(logits, token, self.options.top_logprobs)
            self.logprobs.append(chosen)
            self.top_logprobs.append(others)
        self._write(self._stops.push(self._detokenizer.push(token)))
        if self._constraint is not None:
            self._constraint.push(token)
        if self._stops.found or (self._constraint is not None and self._constraint.finished):
            self._finish("stop")
        elif len(self.token_ids) >= self._limit:
            self._finish("length")
        return token

    def guess(self) -> list[int]:
        """Tokens that may come next, if guessing was asked for; no more than there is room for but one."""
        if self._lookup is None:
            return []
        return self._lookup.guess()[: max(0, self._limit - len(self.token_ids) - 1)]

    def piece(self) -> Piece | None:
        """What came since the last piece: None where there is no whole character of it yet."""
        texts, tokens = self._streamed
        if len(self._pieces) == texts and self.finish_reason is None:
            return None
        self._streamed = len(self._pieces), len(self.token_ids)
        return Piece(
            text="".join(self._pieces[texts:]), token_ids=self.token_ids[tokens:], finish_reason=self.finish_reason
        )

    def result(self) -> Generation:
        """The finished text."""
        asked = self.options.logprobs
        return Generation(
            text="".join(self._pieces),
            token_ids=self.token_ids,
            finish_reason=self.finish_reason or "length",
            prompt_tokens=len(self.prompt),
            logprobs=self.logprobs if asked else None,
            top_logprobs=self.top_logprobs if asked and self.options.top_logprobs else None,
        )

    def _finish(self, reason: str) -> None:
        self._write(self._stops.push(self._detokenizer.flush()))
        if self._stops.found:
            reason = "stop"
        self._write(self._stops.flush())
        self.finish_reason = reason

    def _write(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)

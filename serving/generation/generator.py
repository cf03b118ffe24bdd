"""Text generation: prompts in, texts out, at once or in pieces."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
import tokenizers

from ..errors import BundleError
from ..manifest import Manifest
from ..texts import check_text
from .continuation import Continuation, Piece
from .decoding import decode
from .detokenizer import TokenText
from .graph import DecoderGraph, check_ids
from .options import GenerationOptions
from .session import DecodeSession

# Texts that are written together: matrix products of a few rows take little longer than those of one.
BATCH_SIZE = 8
_Prompt = str | Sequence[int] | np.ndarray


class TextGenerator:
    """A served decoder. Threads may share it: every call has keys and values of its own."""

    def __init__(
        self,
        graph: DecoderGraph,
        tokenizer: tokenizers.Tokenizer,
        manifest: Manifest,
        chat_template: str | None = None,
    ) -> None:
        """Binds the graph to its tokenizer.

        Args:
            graph: The graph.
            tokenizer: Its tokenizer, used by this generator alone (limits are taken off it).
            manifest: The manifest of the bundle; its settings are "eos_token_ids", "bos_token_id" and "add_bos".
            chat_template: The Jinja template of dialogues, if there is one.

        Raises:
            BundleError: The tokenizer or the settings have tokens that the graph does not know.
        """
        self.graph = graph
        self.tokenizer = tokenizer
        self.preprocessing = manifest.preprocessing
        self.labels = manifest.labels
        self.chat_template = chat_template
        settings = manifest.settings
        self.ends = frozenset(manifest.setting("eos_token_ids", []))
        self.start: int | None = settings.get("bos_token_id")
        self._add_start: bool = manifest.setting("add_bos", False)
        _check_tokens(graph, tokenizer, [*self.ends, *([] if self.start is None else [self.start])])
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._text = TokenText(tokenizer)
        self._idle: list[DecodeSession] = []
        self._lock = Lock()

    def generate(
        self, prompt: Any, options: GenerationOptions | None = None, *, batch_size: int = BATCH_SIZE, **changes: Any
    ) -> Any:
        """Writes what comes after a prompt, or after each of several.

        Args:
            prompt: A text, or its token ids, or a list of either. With token ids nothing is put before them.
            options: How; `changes` are fields of it.
            batch_size: Most texts that are written together.
            **changes: Fields of `GenerationOptions`, such as max_new_tokens, do_sample or stop.

        Returns:
            A `Generation` for a prompt, or a list of them with n > 1; for a list of prompts, a list of these.

        Raises:
            TypeError: A prompt is neither a text nor a list of token ids, or there is no such option.
            ValueError: A prompt is empty, too long or has tokens outside the vocabulary, or options contradict
                each other.
        """
        chosen = _choose(options, changes)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received: {batch_size}.")
        one = _is_one(prompt)
        if not one and not len(prompt):
            raise ValueError("There must be a prompt, of a token at least. Received: an empty list.")
        prompts = [self.prompt_ids(each) for each in ([prompt] if one else prompt)]
        texts = [self._begin(ids, chosen, sample) for ids in prompts for sample in range(chosen.n)]
        with self._session(texts, batch_size) as session:
            for _ in decode(session, texts):
                pass
        results = [text.result() for text in texts]
        grouped = results if chosen.n == 1 else [results[i : i + chosen.n] for i in range(0, len(results), chosen.n)]
        return grouped[0] if one else grouped

    def stream(self, prompt: _Prompt, options: GenerationOptions | None = None, **changes: Any) -> Iterator[Piece]:
        """Writes what comes after one prompt, and gives it piece by piece.

        Args:
            prompt: A text or its token ids.
            options: How; `changes` are fields of it. There is one text, n=1, and no beams.
            **changes: Fields of `GenerationOptions`.

        Returns:
            An iterator of pieces of whole characters; what may become a stop string waits. The last one has the
            finish_reason. Leave it whenever you like.

        Raises:
            TypeError: As for `generate`.
            ValueError: As for `generate`; at once, not with the first piece.
        """
        chosen = _choose(options, changes)
        if chosen.n > 1 or chosen.num_beams > 1:
            raise ValueError(
                f"A stream has one text. Received: n={chosen.n}, num_beams={chosen.num_beams}. Use generate."
            )
        if not _is_one(prompt):
            raise TypeError("A stream has one prompt, a text or a list of token ids. Received: several. Use generate.")
        return self._stream(self._begin(self.prompt_ids(prompt), chosen, 0))

    def logits(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Logits after every token of a text: float32 [tokens, vocabulary]."""
        return self.graph.logits(ids)

    def prompt_ids(self, prompt: _Prompt) -> list[int]:
        """The token ids of a prompt, with the token that starts a text where the model was trained with it.

        Args:
            prompt: A text or token ids, which stay as they are.

        Raises:
            TypeError: It is neither.
            ValueError: It is empty, leaves no room in the context, or has tokens outside the vocabulary.
        """
        if isinstance(prompt, str):
            if not prompt:
                cure = f" Give the token ids [{self.start}] to start from nothing." if self.start is not None else ""
                raise ValueError(f"A prompt must have a character at least. Received: ''.{cure}")
            ids = self.tokenizer.encode(check_text(prompt, "A prompt"), add_special_tokens=False).ids
            if self._add_start and self.start is not None:
                ids = [self.start, *ids]
        else:
            ids = check_ids(prompt, self.graph).tolist()
        if len(ids) >= self.graph.context:
            raise ValueError(
                f"A prompt must leave room in the model's context of {self.graph.context} tokens. "
                f"Received: {len(ids)} tokens. Shorten it."
            )
        return check_ids(ids, self.graph).tolist()

    def _begin(self, ids: list[int], options: GenerationOptions, sample: int) -> Continuation:
        return Continuation(
            ids,
            options,
            self._text,
            ends=self.ends,
            room=self.graph.context - len(ids),
            vocab_size=self.graph.vocab_size,
            sample=sample,
        )

    def _stream(self, text: Continuation) -> Iterator[Piece]:
        with self._session([text], 1) as session:
            for _ in decode(session, [text]):
                piece = text.piece()
                if piece is not None:
                    yield piece

    @contextmanager
    def _session(self, texts: Sequence[Continuation], batch_size: int) -> Iterator[DecodeSession]:
        """A decode session for some texts, with room for the longest."""
        session = DecodeSession(self.graph, max(1, min(batch_size, len(texts))))
        if texts:
            most = max(len(text.prompt) + text.options.max_new_tokens for text in texts)
            session.reserve(min(most, self.graph.context))
        yield session


def _choose(options: GenerationOptions | None, changes: dict[str, Any]) -> GenerationOptions:
    return replace(options or GenerationOptions(), **changes)


def _is_one(prompt: Any) -> bool:
    """Whether it is one prompt, not several."""
    if isinstance(prompt, str):
        return True
    if isinstance(prompt, np.ndarray):
        return prompt.ndim == 1
    if not isinstance(prompt, Sequence):
        raise TypeError(
            f"A prompt must be a text or a list of token ids, or a list of those. Received: {type(prompt).__name__}."
        )
    return bool(prompt) and not isinstance(prompt[0], (str, Sequence, np.ndarray))


def _check_tokens(graph: DecoderGraph, tokenizer: tokenizers.Tokenizer, special: Sequence[int]) -> None:
    """Refuses a tokenizer of another model."""
    most = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    if max([most, *special]) >= graph.vocab_size:
        raise BundleError(
            f"The tokenizer and the settings of the bundle have the token id {max([most, *special])}, and its graph "
            f"knows {graph.vocab_size} tokens: the tokenizer is of another model. Export the model again."
        )

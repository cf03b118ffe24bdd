"""Text generation: prompts in, texts out, at once or in pieces."""

from collections import deque
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
from .beams import Found, search
from .continuation import Constraint, Continuation, Generation, Piece
from .decoding import Decoding
from .detokenizer import TokenText
from .dialogue import ChatTemplate, Message
from .dialogue_tokens import DialogueTokens
from .graph import DecoderGraph, check_ids
from .idle import IdleSessions
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
        settings = manifest.settings
        self.ends = frozenset(manifest.setting("eos_token_ids", []))
        self.start: int | None = settings.get("bos_token_id")
        self._add_start: bool = manifest.setting("add_bos", False)
        _check_tokens(graph, tokenizer, [*self.ends, *([] if self.start is None else [self.start])])
        self.chat_template = chat_template
        self._dialogues: DialogueTokens | None = None  # made when a dialogue first comes: only then Jinja is needed
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._text = TokenText(tokenizer)
        self._idle = IdleSessions(graph)
        self._grammars: Any = None  # made when a schema is first asked for
        self._lock = Lock()

    def generate(
        self, prompt: Any, options: GenerationOptions | None = None, *, batch_size: int = BATCH_SIZE, **changes: Any
    ) -> Any:
        """Writes what comes after a prompt, or after each of several.

        Args:
            prompt: A text, or its token ids, or a list of either. With token ids nothing is put before them. Special
                tokens that a text spells out are those tokens, as with Hugging Face; what strangers write belongs in
                the messages of `chat`, where it is but text.
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
        write = self._search if chosen.num_beams > 1 else self._write
        results = write(prompts, chosen, batch_size)
        grouped = [each[0] for each in results] if chosen.n == 1 else results
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
        return self._stream(self.begin(self.prompt_ids(prompt), chosen, 0))

    def chat(self, messages: Sequence[Message], options: GenerationOptions | None = None, **changes: Any) -> Any:
        """Writes the next message of a dialogue.

        Args:
            messages: {"role", "content"} each, as the chat template of the bundle has them. Special tokens that a
                content spells out are read as text.
            options: How; `changes` are fields of it. Keys and values of the dialogue are kept for its next message
                unless prompt_cache says otherwise.
            **changes: Fields of `GenerationOptions`.

        Returns:
            A `Generation`, or a list of them with n > 1.

        Raises:
            TypeError: These are no messages.
            ValueError: The bundle has no chat template, or as for `generate`.
        """
        return self.generate(self.chat_ids(messages), _choose_for_chat(options, changes))

    def stream_chat(
        self, messages: Sequence[Message], options: GenerationOptions | None = None, **changes: Any
    ) -> Iterator[Piece]:
        """The same, piece by piece, as `stream`."""
        return self.stream(self.chat_ids(messages), _choose_for_chat(options, changes))

    def chat_ids(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> list[int]:
        """The token ids of a dialogue, up to where the next message begins.

        Args:
            messages: {"role", "content"} each.
            add_generation_prompt: Whether the beginning of an answer comes last.

        Raises:
            TypeError: These are no messages.
            ValueError: The bundle has no chat template, or it refuses the messages, or cannot keep them from writing
                control tokens.
        """
        if self.chat_template is None:
            raise ValueError("This bundle has no chat template. Received: a dialogue. Give a prompt to generate.")
        if self._dialogues is None:
            self._dialogues = DialogueTokens(self._read_template(self.chat_template), self.tokenizer)
        return self._dialogues.ids(messages, add_generation_prompt=add_generation_prompt)

    def logits(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Logits after every token of a text: float32 [tokens, vocabulary]."""
        return self.graph.logits(ids)

    def prompt_ids(self, prompt: _Prompt) -> list[int]:
        """The token ids of a prompt, with the token that starts a text where the model was trained with it.

        Args:
            prompt: A text, whose special tokens are read as such, or token ids, which stay as they are.

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

    def begin(self, ids: list[int], options: GenerationOptions, sample: int = 0) -> Continuation:
        """Starts a text.

        Args:
            ids: Token ids of the prompt, as `prompt_ids` gives them.
            options: How it goes on.
            sample: Which of the `n` texts of the prompt it is.

        Raises:
            ImportError: A schema is asked for, and llguidance is not installed.
            ValueError: An option names a token outside the vocabulary, or the schema cannot be followed.
        """
        return Continuation(
            ids,
            options,
            self._text,
            ends=self.ends,
            room=self.graph.context - len(ids),
            vocab_size=self.graph.vocab_size,
            sample=sample,
            constraint=self._constraint(options),
        )

    def _read_template(self, source: str) -> ChatTemplate:
        bos = "" if self.start is None else self.tokenizer.id_to_token(self.start)
        eos = self.tokenizer.id_to_token(min(self.ends)) if self.ends else ""
        return ChatTemplate(source, bos_token=bos or "", eos_token=eos or "")

    def _write(self, prompts: Sequence[list[int]], options: GenerationOptions, batch_size: int) -> list[Any]:
        """For each prompt the list of its texts."""
        texts = [[self.begin(ids, options, sample) for sample in range(options.n)] for ids in prompts]
        flat = [text for each in texts for text in each]
        with self._session(flat, batch_size) as session:
            for _ in _decode(session, flat):
                pass
        return [[text.result() for text in each] for each in texts]

    def _search(self, prompts: Sequence[list[int]], options: GenerationOptions, batch_size: int) -> list[Any]:
        """The same by beam search, one prompt after the other."""
        session = DecodeSession(self.graph, options.num_beams + 1)
        results = []
        for ids in prompts:
            room = self.graph.context - len(ids)
            found = search(session, ids, options, ends=self.ends, room=room)[: options.n]
            results.append([self._found(ids, each) for each in found])
        return results

    def _found(self, prompt: list[int], found: Found) -> Generation:
        detokenizer = self._text.start(prompt)
        pieces = [*(detokenizer.push(token) for token in found.token_ids), detokenizer.flush()]
        return Generation(
            text="".join(pieces),
            token_ids=found.token_ids,
            finish_reason=found.reason,
            prompt_tokens=len(prompt),
            score=found.score,
        )

    def _constraint(self, options: GenerationOptions) -> Constraint | None:
        if options.json_schema is None:
            return None
        with self._lock:
            if self._grammars is None:
                from .constrained import Grammars

                self._grammars = Grammars(self.tokenizer, self.graph.vocab_size, sorted(self.ends))
        return self._grammars.json(options.json_schema)

    def _stream(self, text: Continuation) -> Iterator[Piece]:
        with self._session([text], 1) as session:
            for _ in _decode(session, [text]):
                piece = text.piece()
                if piece is not None:
                    yield piece

    @contextmanager
    def _session(self, texts: Sequence[Continuation], batch_size: int) -> Iterator[DecodeSession]:
        """A decode session for some texts, with room for the longest."""
        cached = len(texts) == 1 and texts[0].options.prompt_cache
        session = self._idle.take(texts[0].prompt) if cached else DecodeSession(self.graph, min(batch_size, len(texts)))
        most = max(len(text.prompt) + text.options.max_new_tokens for text in texts)
        session.reserve(min(most, self.graph.context))
        try:
            yield session
        finally:
            if cached:
                self._idle.give_back(session)


def _decode(session: DecodeSession, texts: Sequence[Continuation]) -> Iterator[Continuation]:
    """Writes texts, as many at once as there are slots; gives one whenever it has a new token or has ended."""
    reuse_written = len(texts) == 1 and texts[0].options.prompt_cache
    decoding, waiting = Decoding(session, reuse_written=reuse_written), deque(texts)
    while waiting or decoding.running:
        while waiting and decoding.free:
            decoding.start(waiting.popleft())
        for text in decoding.advance():
            if text.error is not None:
                raise text.error
            yield text


def _choose(options: GenerationOptions | None, changes: dict[str, Any]) -> GenerationOptions:
    return replace(options or GenerationOptions(), **changes)


def _choose_for_chat(options: GenerationOptions | None, changes: dict[str, Any]) -> GenerationOptions:
    """A dialogue is asked for again with a message more, so what was read of it is kept, unless beams move it about."""
    keep = options is None and not changes.get("num_beams", 1) > 1
    return _choose(options, {"prompt_cache": True, **changes} if keep else changes)


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

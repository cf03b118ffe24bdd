"""Texts of one session: prompts are read piece by piece, and what was read is written on together, a token a round."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from .continuation import Continuation
from .session import PIECE, DecodeSession, piece_size

# A run of fewer tokens takes as long as one of so many: the weights have to be read, too.
_LEAST = 8


class Decoding:
    """Continuous batching (Yu et al. 2022): texts join and leave between rounds. It serves one thread at a time.

    Those that are being written are always in the first slots; the others hold prompts that are being read, and what
    earlier texts left there, for prompts that start alike.
    """

    def __init__(self, session: DecodeSession, *, chunk: int = PIECE, reuse_written: bool = False) -> None:
        """Starts with no text.

        Args:
            session: Its slots are all of this object's.
            chunk: Most tokens of prompts that are read in a round.
            reuse_written: Whether a prompt may go on after keys and values that were made in writing. They are rounded
                otherwise than in reading, which int8 products show: an answer then depends on what was there before.
        """
        self.session = session
        self._chunk = chunk
        self._texts: list[Continuation | None] = [None] * session.slots
        self._writing = 0  # so many texts, in as many first slots
        self._reading: deque[Continuation] = deque()  # a piece each in turn
        self._left = [0] * session.slots  # when a text last left the slot
        self._clock = 0
        self._reuse_written = reuse_written
        self._read_tokens = [0] * session.slots  # of each slot, how many of the first were read, not written
        self._known: tuple[Sequence[int], np.ndarray] | None = None  # the last prompt, and the logits after it
        self.prompt_tokens = self.generated_tokens = self.steps = 0

    @property
    def running(self) -> int:
        """How many texts are being read or written."""
        return self._writing + len(self._reading)

    @property
    def free(self) -> int:
        """How many more can start."""
        return self.session.slots - self.running

    def start(self, text: Continuation) -> None:
        """Gives a text a slot, of which one at least must be free.

        That is the one that holds most of the prompt's beginning and little else, or else the one unused for longest.
        """

        def worth(slot: int) -> tuple[int, int]:
            alike = self._alike(slot, text.prompt)
            return alike if 2 * alike >= len(self.session.ids[slot]) else 0, -self._left[slot]

        slot = max((slot for slot, other in enumerate(self._texts) if other is None), key=worth)
        self._hold(slot, slot, self._alike(slot, text.prompt))
        self._texts[slot] = text
        self._reading.append(text)

    def stop(self, text: Continuation) -> None:
        """Frees the slot of a text; what it holds stays there until the slot is needed."""
        slot = self._texts.index(text)
        if slot < self._writing:
            self._writing -= 1
            self._swap(slot, self._writing)
            slot = self._writing
        else:
            self._reading.remove(text)
        self._clock += 1
        self._texts[slot], self._left[slot] = None, self._clock

    def advance(self) -> list[Continuation]:
        """One round: a token more for every text that is being written, then a piece of the prompts.

        Returns:
            The texts that have a new token or have ended, by an error too, each once. Those that have ended have left.
        """
        return [*self._write(), *self._read()]

    def _write(self) -> list[Continuation]:
        texts = [text for text in self._texts[: self._writing] if text is not None]
        if len(texts) == 1 and (guesses := texts[0].guess()):
            self._guess(texts[0], guesses)
        elif texts:
            self._step(texts)
        for text in texts:
            if text.ended:
                self.stop(text)
        return texts

    def _step(self, texts: Sequence[Continuation]) -> None:
        """One more token for every text."""
        self.steps += 1
        try:
            logits = self.session.step([text.token_ids[-1] for text in texts])
        except Exception as error:  # the run's, so everybody's
            for text in texts:
                text.error = error
            return
        for text, row in zip(texts, logits, strict=True):
            self._take(text, row)

    def _guess(self, text: Continuation, guesses: list[int]) -> None:
        """One more token for the only text, and those after it that were guessed right.

        The logits after each guess are what they would be without guessing, and the text chooses by them in turn; at
        the first guess that it does not choose, what was read beyond is forgotten.
        """
        self.steps += 1
        held = len(self.session.ids[0])
        try:
            logits = self.session.extend(0, [text.token_ids[-1], *guesses], keep=1 + len(guesses))
        except Exception as error:
            text.error = error
            return
        for place, row in enumerate(logits):
            token = self._take(text, row)
            if text.ended or token != [*guesses, None][place]:
                self.session.truncate(0, held + 1 + place)
                return

    def _read(self) -> list[Continuation]:
        """Reads pieces of prompts in turn; those that were read to the end have their first token."""
        begun, left = [], self._chunk
        while self._reading and left >= min(_LEAST, self._chunk):
            text = self._reading[0]
            before = self.prompt_tokens
            try:
                logits = self._read_piece(text, left)
            except Exception as error:
                text.error, logits = error, None
            if logits is None and text.error is None:
                self._reading.rotate(-1)
            else:
                begun.append(text)
                self._begin(text, logits)
            left -= max(_LEAST, self.prompt_tokens - before) if self.prompt_tokens > before else 0
        return begun

    def _read_piece(self, text: Continuation, most: int) -> np.ndarray | None:
        """Reads on in a prompt, up to `most` tokens; the logits float32 [vocabulary] after it once it is read."""
        slot, prompt, session = self._texts.index(text), text.prompt, self.session
        alike = [self._alike(other, prompt) for other in range(session.slots)]
        source = max(range(session.slots), key=lambda other: (alike[other], other == slot))
        if self._known is not None and self._known[0] == prompt and alike[source] == len(prompt):
            self._hold(slot, source, len(prompt))
            return self._known[1]
        held = max(0, min(alike[source], len(prompt) - 2))  # the logits after the last tokens are needed
        self._hold(slot, source, held)
        piece = prompt[held : held + piece_size(len(prompt) - held, most)]
        logits = session.extend(slot, piece)[-1]
        self._read_tokens[slot] = held + len(piece)
        self.prompt_tokens += len(piece)
        if held + len(piece) < len(prompt):
            return None
        self._known = prompt, logits
        return logits

    def _alike(self, slot: int, prompt: Sequence[int]) -> int:
        """How many tokens of a prompt need not be read, as a slot holds them."""
        ids = self.session.ids[slot]
        return common(ids if self._reuse_written else ids[: self._read_tokens[slot]], prompt)

    def _hold(self, slot: int, source: int, length: int) -> None:
        """Makes a slot hold the first tokens of one."""
        self.session.copy(source, slot, length)
        self._read_tokens[slot] = length

    def _begin(self, text: Continuation, logits: np.ndarray | None) -> None:
        """The first token of a text: from now on it is written."""
        if logits is not None:
            self._take(text, logits)
        if text.ended:
            self.stop(text)
            return
        self._reading.remove(text)
        self._swap(self._texts.index(text), self._writing)
        self._writing += 1

    def _take(self, text: Continuation, logits: np.ndarray) -> int | None:
        """The next token of a text; an error ends this text alone, and is kept."""
        self.generated_tokens += 1
        try:
            return text.take(logits)
        except Exception as error:
            text.error = error
            return None

    def _swap(self, first: int, second: int) -> None:
        if first != second:
            self.session.swap(first, second)
            for values in (self._texts, self._left, self._read_tokens):
                _exchange(values, first, second)


def _exchange(values: list[Any], first: int, second: int) -> None:
    values[first], values[second] = values[second], values[first]


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two texts start with alike."""
    length = min(len(first), len(second))
    if not length or first[0] != second[0]:
        return 0
    differ = np.flatnonzero(np.asarray(first[:length]) != np.asarray(second[:length]))
    return int(differ[0]) if len(differ) else length

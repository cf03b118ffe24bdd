"""A decoder for many callers at once: one thread writes all their texts together, and tells each what is new."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Condition, Thread

from ..errors import Closed, QueueFull
from .continuation import Continuation, Piece
from .decoding import Decoding
from .generator import TextGenerator
from .options import GenerationOptions
from .session import DecodeSession

# Streams of GPT-2's shape on two cores: 16 rows write 5 times as many tokens as one (fp32), 32 rows a tenth more than
# 16, 64 no more than 32, each slower; but with 64 callers the first text comes in half the time with 32 slots.
# A prompt is read as fast in pieces of 64 tokens as in longer ones; but after every piece comes a step, which few share
# while many wait to be read. With 128, 64 streams are faster than with 64, and nobody waits for over 0.2 s.
_SLOTS, _CHUNK, _MOST_WAITING = 32, 128, 256
_log = logging.getLogger(__name__)
Tell = Callable[[int, Piece | Exception], None]


class Ticket:
    """What was asked for at once: the texts of one prompt."""

    def __init__(self, texts: list[Continuation], tell: Tell) -> None:
        self.texts = texts
        """The texts; once its last piece has come, `texts[index].result()` is a `Generation`."""
        self.cancelled = False
        """Whether nobody wants them any more."""
        self.tell = tell
        """Who is told."""
        self.begun = 0
        """How many of the texts have got a slot."""

    def cancel(self) -> None:
        """Gives the texts up, at any time and from any thread; their slots are free at the next step."""
        self.cancelled = True


class DecodeEngine:
    """Continuous batching: requests join and leave between steps. Threads may share it.

    The same seed gives the text that `TextGenerator.generate` gives, whoever else is there: no run depends on who
    shares it, and a prompt goes on only after what was read of one that begins alike and is in a slot still, as if
    prompt_cache was always set. For the same reason nothing is guessed: prompt_lookup_num_tokens is left out.
    The cache has room for `slots` contexts at most, and takes the memory of what was written there.
    """

    def __init__(
        self, generator: TextGenerator, *, slots: int = _SLOTS, chunk: int = _CHUNK, most_waiting: int = _MOST_WAITING
    ) -> None:
        """Starts the thread.

        Args:
            generator: The decoder.
            slots: Most texts that are written together.
            chunk: Most tokens of prompts that are read between two steps: more of them reads sooner, and makes those
                wait who are being written for.
            most_waiting: Most texts that wait for a slot.

        Raises:
            ValueError: `slots` or `chunk` is less than 1, or `most_waiting` less than 0.
        """
        for name, value, least in (("slots", slots, 1), ("chunk", chunk, 1), ("most_waiting", most_waiting, 0)):
            if value < least:
                raise ValueError(f"{name} must be at least {least}. Received: {value}.")
        self.generator = generator
        self.slots = slots
        self._most_waiting = most_waiting
        self._chunk = chunk
        self._decoding = self._fresh()
        self._queue: deque[Ticket] = deque()  # those with texts that have no slot yet; they take turns
        self._owners: dict[Continuation, tuple[Ticket, int]] = {}  # of each text that has one
        self._closing, self._finish = False, False
        self._changed = Condition()
        self._thread = Thread(target=self._work, name="decode-engine", daemon=True)
        self._thread.start()

    @property
    def running(self) -> int:
        """Texts that are being read or written now."""
        return len(self._owners)

    @property
    def waiting(self) -> int:
        """Texts that wait for a slot now."""
        with self._changed:
            return self._count_waiting()

    @property
    def prompt_tokens(self) -> int:
        """Tokens of prompts that were read; those whose keys and values were there already do not count."""
        return self._decoding.prompt_tokens

    @property
    def generated_tokens(self) -> int:
        """Tokens that were written, of all texts."""
        return self._decoding.generated_tokens

    @property
    def steps(self) -> int:
        """Runs of the graph that wrote tokens."""
        return self._decoding.steps

    def submit(self, prompt_ids: list[int], options: GenerationOptions, tell: Tell) -> Ticket:
        """Asks for the texts of a prompt; returns at once.

        Args:
            prompt_ids: Token ids, as `TextGenerator.prompt_ids` or `chat_ids` gives them.
            options: How; `n` texts are written. There are no beams.
            tell: Called on the engine's thread, with which text it is and a piece of whole characters; the last one has
                the finish_reason. It must return soon. An exception in place of a piece ends the ticket.

        Returns:
            The ticket.

        Raises:
            ImportError: A schema is asked for, and llguidance is not installed.
            TypeError: As for `TextGenerator.generate`.
            ValueError: As for `TextGenerator.generate`, or beams are asked for.
            QueueFull: Too many texts wait.
            Closed: The engine was closed.
        """
        if options.num_beams > 1:
            raise ValueError(
                f"A server writes texts without beams. Received: num_beams={options.num_beams}. Use "
                "TextGenerator.generate."
            )
        ids = self.generator.prompt_ids(prompt_ids)
        with self._changed:
            self._admit(options.n)
        options = replace(options, prompt_lookup_num_tokens=None)
        texts = [self.generator.begin(ids, options, sample) for sample in range(options.n)]
        ticket = Ticket(texts, tell)
        with self._changed:
            self._admit(options.n)  # again: others came meanwhile
            self._queue.append(ticket)
            self._changed.notify()
        return ticket

    def close(self, finish: bool = True) -> None:
        """Takes no more requests, and ends the thread.

        Args:
            finish: Whether what runs and waits is written to its end first; else each of their tickets is told
                `Closed`.
        """
        with self._changed:
            self._closing, self._finish = True, finish
            self._changed.notify()
        self._thread.join()

    def _admit(self, count: int) -> None:
        if self._closing:
            raise Closed("The server is shutting down. Ask another one, or this one later.")
        if count > self._most_waiting + self.slots:
            raise ValueError(f"n must be at most {self._most_waiting + self.slots} here. Received: {count}.")
        waiting = self._count_waiting()
        if waiting + count > self._most_waiting + max(0, self.slots - self.running):
            raise QueueFull(
                f"Too many texts wait to be written: {waiting}, and at most {self._most_waiting} may. Received: "
                f"{count} more. Ask again in a moment."
            )

    def _count_waiting(self) -> int:
        return sum(len(ticket.texts) - ticket.begun for ticket in self._queue if not ticket.cancelled)

    def _work(self) -> None:
        """The thread: round after round, as long as there is something to do."""
        while self._wait():
            try:
                self._drop_cancelled()
                for text in self._starting():
                    self._start(text)
                for text in self._decoding.advance():
                    self._report(text)
            except Exception as error:  # errors of a text or of a run are the texts' own: this is a mistake of ours
                _log.exception("The engine failed and gave up all texts.")
                self._abandon(error)
                self._decoding = self._fresh()
        self._abandon(Closed("The server was shut down before the text was finished. Ask again."))

    def _wait(self) -> bool:
        """Waits until there is something to do; whether there is."""
        with self._changed:
            while not (self._queue or self._owners or self._closing):
                self._changed.wait()
            return not self._closing or (self._finish and bool(self._queue or self._owners))

    def _drop_cancelled(self) -> None:
        with self._changed:
            self._queue = deque(ticket for ticket in self._queue if not ticket.cancelled)
        for text in [text for text, (ticket, _) in self._owners.items() if ticket.cancelled]:
            self._decoding.stop(text)
            del self._owners[text]

    def _starting(self) -> Iterator[Continuation]:
        """The texts that get the free slots: one of each ticket in turn."""
        while self._decoding.free and self._queue:
            with self._changed:
                ticket = self._queue.popleft()
                index = ticket.begun
                text = ticket.texts[index]
                ticket.begun += 1
                self._owners[text] = ticket, index
                if ticket.begun < len(ticket.texts):
                    self._queue.append(ticket)
            yield text

    def _start(self, text: Continuation) -> None:
        """Gives a text a slot, and room in the cache for all that it may become."""
        try:
            most = len(text.prompt) + text.options.max_new_tokens
            self._decoding.session.reserve(min(most, self.generator.graph.context))
        except MemoryError as error:
            text.error = error
            self._report(text)
        else:
            self._decoding.start(text)

    def _report(self, text: Continuation) -> None:
        """Tells the caller what is new in a text."""
        ticket, index = self._owners[text]
        if text.ended:
            del self._owners[text]
        news = text.error or text.piece()
        if news is not None:
            self._tell(ticket, index, news)

    def _tell(self, ticket: Ticket, index: int, news: Piece | Exception) -> None:
        if ticket.cancelled:
            return
        ticket.cancelled = isinstance(news, Exception)
        try:
            ticket.tell(index, news)
        except Exception:
            _log.exception("A caller could not be told of its text, which is given up.")
            ticket.cancelled = True

    def _abandon(self, error: Exception) -> None:
        """Tells every ticket that there will be no more."""
        with self._changed:
            tickets = dict.fromkeys([*(ticket for ticket, _ in self._owners.values()), *self._queue])
            self._owners, self._queue = {}, deque()
        for ticket in tickets:
            self._tell(ticket, 0, error)

    def _fresh(self) -> Decoding:
        return Decoding(DecodeSession(self.generator.graph, self.slots), chunk=self._chunk)

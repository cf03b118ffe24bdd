"""How requests are worked on: so many at once, in threads or by a decoder's engine, and not for ever."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request

from ..errors import QueueFull
from ..generation.continuation import Continuation, Generation, Piece
from ..generation.engine import Ticket
from ..generation.options import GenerationOptions
from .errors import RequestError
from .limits import check_tokens
from .metrics import Metrics
from .models import ServedModel
from .settings import ServerSettings

Result = TypeVar("Result")
# Calls of encoders that may run or wait for the graph: they become batches there.
_CALLERS = 64


class Work:
    """The work of one server. All of it is called on the event loop's thread."""

    def __init__(self, settings: ServerSettings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._pool = ThreadPoolExecutor(_CALLERS, "work")
        self._pending = 0
        self.streams = 0

    async def run(self, model: ServedModel, function: Callable[..., Result], *arguments: Any) -> Result:
        """Calls a function in a thread.

        Args:
            model: What it uses: it is kept until the function has ended, even if nobody waits any more.
            function: What to call.
            arguments: Of the call.

        Raises:
            QueueFull: Too many requests wait.
            RequestError: It took too long (504).
        """
        if self._pending >= self._settings.queue:
            raise QueueFull(f"Too many requests wait: {self._pending}. Ask again in a moment.")
        loop = asyncio.get_running_loop()
        future = self._pool.submit(function, *arguments)
        self._pending += 1
        model.take()
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._ended, model))
        return await self._in_time(future)

    async def _in_time(self, future: Future[Result]) -> Result:
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._settings.request_seconds)
        except TimeoutError:
            raise too_slow(self._settings.request_seconds) from None

    async def write(self, model: ServedModel, prompts: Sequence[list[int]], options: GenerationOptions) -> "Writing":
        """Begins to write the texts of prompts.

        Args:
            model: A decoder.
            prompts: Token ids of each.
            options: How; `options.n` texts of each prompt.

        Returns:
            What tells the pieces. Whoever has it closes it.

        Raises:
            QueueFull: Too many texts wait.
            ValueError: As for `TextGenerator.generate`, or these are too many tokens.
        """
        tokens = sum(len(prompt) + options.n * options.max_new_tokens for prompt in prompts)
        check_tokens(tokens, self._settings)
        writing = Writing(model, prompts, options, self._settings, self._metrics)
        try:
            await self.run(model, writing.begin)
        except BaseException:
            writing.close()
            raise
        return writing

    async def write_all(
        self, request: Request, model: ServedModel, prompts: Sequence[list[int]], options: GenerationOptions
    ) -> list[Generation]:
        """The same, all at once; given up where the client hangs up meanwhile.

        Returns:
            `options.n` texts of the first prompt, then those of the next.

        Raises:
            RequestError: The client has gone.
        """
        writing = await self.write(model, prompts, options)
        try:
            return await until_gone(request, writing.whole())
        finally:
            writing.close()

    def enter_stream(self) -> None:
        """One stream more.

        Raises:
            QueueFull: There are too many.
        """
        if self.streams >= self._settings.streams:
            raise QueueFull(f"Too many streams are open: {self.streams}. Ask again in a moment.")
        self.streams += 1

    def leave_stream(self) -> None:
        """One stream less."""
        self.streams -= 1

    def gauge(self, models: Any) -> None:
        """Brings the gauges up to date."""
        self._metrics.queue_size.set(self._pending)
        for model in models:
            if model.engine is not None:
                self._metrics.running.labels(model.name).set(model.engine.running)
                self._metrics.waiting.labels(model.name).set(model.engine.waiting)

    def close(self) -> None:
        """Ends the threads when what they do is done."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended(self, model: ServedModel) -> None:
        self._pending -= 1
        model.leave()


class Writing:
    """Texts that a decoder writes for one request."""

    def __init__(
        self,
        model: ServedModel,
        prompts: Sequence[list[int]],
        options: GenerationOptions,
        settings: ServerSettings,
        metrics: Metrics,
    ) -> None:
        self._model, self._prompts, self._options, self._metrics = model, prompts, options, metrics
        self._seconds = settings.request_seconds
        self._until = time.monotonic() + settings.request_seconds
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Queue[tuple[int, Piece | Exception]]()
        self._tickets: list[Ticket] = []
        self._closed = False
        model.take()

    def begin(self) -> None:
        """Hands the prompts to the engine; not on the event loop's thread, as a schema takes time."""
        for place, prompt in enumerate(self._prompts):
            self._tickets.append(self._model.decoder.submit(prompt, self._options, partial(self._tell, place)))

    async def pieces(self) -> AsyncIterator[tuple[int, Piece, Generation | None]]:
        """What is new in one of the texts, as it comes.

        Yields:
            Which text (`options.n` of the first prompt, then those of the next), its next piece, and with its last
            piece the whole of it.

        Raises:
            RequestError: It took too long (504).
        """
        told = dict.fromkeys(range(self._options.n * len(self._prompts)), 0.0)  # when each was last heard of
        began = time.monotonic()
        while told:
            index, piece = await self._next()
            now = time.monotonic()
            if told[index]:
                self._metrics.between_tokens.labels(self._model.name).observe(now - told[index])
            else:
                self._metrics.first_token.labels(self._model.name).observe(now - began)
            told[index] = now
            whole = None
            if piece.finish_reason is not None:
                whole = self.text(index).result()
                self._metrics.generated_tokens.labels(self._model.name).inc(len(whole.token_ids))
                del told[index]
            yield index, piece, whole

    async def whole(self) -> list[Generation]:
        """All texts, when the last is finished."""
        written = {index: whole async for index, _, whole in self.pieces() if whole is not None}
        return [written[index] for index in sorted(written)]

    def text(self, index: int) -> Continuation:
        """One of the texts, as far as it is written."""
        count = self._options.n
        return self._tickets[index // count].texts[index % count]

    def close(self) -> None:
        """Gives up what is not finished; its slots are free at the next step."""
        if self._closed:
            return
        self._closed = True
        for ticket in self._tickets:
            ticket.cancel()
        self._metrics.prompt_tokens.labels(self._model.name).inc(sum(map(len, self._prompts)))
        self._model.leave()

    def _tell(self, place: int, sample: int, news: Piece | Exception) -> None:
        """Called by the engine, on its thread."""
        self._loop.call_soon_threadsafe(self._news.put_nowait, (place * self._options.n + sample, news))

    async def _next(self) -> tuple[int, Piece]:
        try:
            index, news = await asyncio.wait_for(self._news.get(), self._until - time.monotonic())
        except TimeoutError:
            raise too_slow(self._seconds) from None
        if isinstance(news, Exception):
            raise news
        return index, news


def too_slow(seconds: float) -> RequestError:
    """That the deadline has passed."""
    return RequestError(504, f"The answer took longer than {seconds:g} s and was given up.", code="timeout")


async def until_gone(request: Request, answer: Any) -> Any:
    """Waits for an answer, or for the client to hang up, whichever comes first.

    Raises:
        RequestError: The client has gone.
    """

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, watching = asyncio.ensure_future(answer), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise RequestError(499, "The client hung up.")
    finally:
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)

"""How requests are worked on: so many at once, in threads or by a decoder's engine, and not for ever."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.requests import Request

from ..errors import QueueFull
from ..generation.continuation import Generation, Piece
from ..generation.options import GenerationOptions
from .errors import RequestError
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
            raise self._too_slow() from None

    async def write(
        self, model: ServedModel, prompt_ids: list[int], options: GenerationOptions
    ) -> AsyncIterator[tuple[int, Piece, Generation | None]]:
        """Writes the texts of a prompt; leaving the iterator gives their slots back.

        Args:
            model: A decoder.
            prompt_ids: Token ids.
            options: How.

        Yields:
            Which text, its next piece, and with the last one the whole of it.

        Raises:
            QueueFull: Too many texts wait.
            ValueError: As for `TextGenerator.generate`.
            RequestError: It took too long (504).
        """
        loop, news = asyncio.get_running_loop(), asyncio.Queue[tuple[int, Piece | Exception]]()
        until = time.monotonic() + self._settings.request_seconds

        def tell(index: int, piece: Piece | Exception) -> None:
            loop.call_soon_threadsafe(news.put_nowait, (index, piece))

        ticket = await self.run(model, model.decoder.submit, prompt_ids, options, tell)
        model.take()
        before: dict[int, float] = dict.fromkeys(range(options.n), time.monotonic())
        begun: set[int] = set()
        try:
            while before:
                try:
                    index, piece = await asyncio.wait_for(news.get(), until - time.monotonic())
                except TimeoutError:
                    raise self._too_slow() from None
                if isinstance(piece, Exception):
                    raise piece
                self._observe(model.name, time.monotonic() - before[index], first=index not in begun)
                begun.add(index)
                before[index] = time.monotonic()
                whole = None
                if piece.finish_reason is not None:
                    whole = ticket.texts[index].result()
                    del before[index]
                    self._metrics.generated_tokens.labels(model.name).inc(len(whole.token_ids))
                yield index, piece, whole
        finally:
            ticket.cancel()
            model.leave()
            self._metrics.prompt_tokens.labels(model.name).inc(len(prompt_ids))

    async def write_all(
        self, request: Request, model: ServedModel, prompt_ids: list[int], options: GenerationOptions
    ) -> list[Generation]:
        """The same, all at once; given up where the client hangs up meanwhile.

        Raises:
            RequestError: The client has gone.
        """

        async def collect() -> list[Generation]:
            written: list[Generation | None] = [None] * options.n
            async for index, _, whole in self.write(model, prompt_ids, options):
                written[index] = whole or written[index]
            return [each for each in written if each is not None]

        return await until_gone(request, collect())

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

    def _observe(self, model: str, seconds: float, *, first: bool) -> None:
        histogram = self._metrics.first_token if first else self._metrics.between_tokens
        histogram.labels(model).observe(seconds)

    def _too_slow(self) -> RequestError:
        seconds = self._settings.request_seconds
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

"""Server-sent events, as OpenAI sends a text piece by piece (HTML Living Standard, section 9.2)."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from .errors import as_request_error, error_body
from .work import Writing

# Seconds after which a comment shows proxies and clients that the stream still lives.
_PING = 15.0
# How OpenAI ends a stream.
DONE = b"data: [DONE]\n\n"


def event(data: dict[str, Any]) -> bytes:
    """One event."""
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


class EventStream(StreamingResponse):
    """Events of a text that is being written; however it ends, the text's slot is given back."""

    def __init__(self, request: Request, writing: Writing, chunks: AsyncIterator[dict[str, Any]], end: bytes) -> None:
        """Counts as a stream from now on.

        Args:
            request: What is answered.
            writing: Closed in the end.
            chunks: What the events hold.
            end: Sent after the last one.

        Raises:
            QueueFull: There are too many streams.
        """
        self._writing, self._work = writing, request.app.state.work
        self._work.enter_stream()
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(_lines(request.url.path, chunks, end), media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._work.leave_stream()
            self._writing.close()


def open_stream(
    request: Request, writing: Writing, chunks: AsyncIterator[dict[str, Any]], end: bytes = DONE
) -> EventStream:
    """The same; if there are too many streams, nothing is written.

    Raises:
        QueueFull: There are too many streams.
    """
    try:
        return EventStream(request, writing, chunks, end)
    except BaseException:
        writing.close()
        raise


async def _lines(path: str, chunks: AsyncIterator[dict[str, Any]], end: bytes) -> AsyncIterator[bytes]:
    following: asyncio.Task[dict[str, Any]] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(chunks))
            done, _ = await asyncio.wait((following,), timeout=_PING)
            if not done:
                yield b": ping\n\n"
                continue
            chunk, following = following.result(), None
            yield event(chunk)
    except StopAsyncIteration:
        yield end
    except Exception as error:  # 200 was sent already: the error is an event, and the last one
        yield event(error_body(path, as_request_error(error)))
    finally:
        if following is not None:
            following.cancel()

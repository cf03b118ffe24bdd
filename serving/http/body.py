"""The body of a request: read before anything else is done, if it is small enough and comes soon enough."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import RequestError, error_response
from .settings import ServerSettings


class WholeBody:
    """Gives the app a body in one message; answers 413 and 408 itself."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._most, self._seconds = settings.most_bytes, settings.body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reads the body, and passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check_length(Headers(scope=scope).get("content-length"))
            body = await asyncio.wait_for(self._read(receive), self._seconds)
        except TimeoutError:
            error = RequestError(408, f"The body must be there within {self._seconds:g} s.", code="timeout")
            await self._refuse(error, scope, receive, send)
        except RequestError as error:
            await self._refuse(error, scope, receive, send)
        else:
            if body is not None:  # else the client has gone
                await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            self._check_length(str(size))
            if not message.get("more_body", False):
                return b"".join(parts)

    def _check_length(self, length: str | None) -> None:
        if length is not None and (not length.isdecimal() or len(length) > 18 or int(length) > self._most):
            raise RequestError(
                413, f"A body may have {self._most:,} bytes. Received: {length[:20]}. Send less at once.",
                code="body_too_large",
            )  # fmt: skip

    async def _refuse(self, error: RequestError, scope: Scope, receive: Receive, send: Send) -> None:
        error.headers = {"Connection": "close"}  # what is left of the body is not read
        await error_response(scope["path"], error)(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Receives the body once, then what really comes: that the client hangs up."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay

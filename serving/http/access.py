"""What is known of every request: an id, a line in the log, and a count."""

import json
import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics

_log = logging.getLogger("kerasllm.access")
_ID = re.compile(r"[\w.:-]{1,128}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class Access:
    """Gives each request an id (the client's own, if it is a plain one), logs it as a line of JSON, and counts it."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, log_texts: bool) -> None:
        self._app, self._metrics, self._log_texts = app, metrics, log_texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 499  # nothing was sent: the client has gone
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else secrets.token_hex(8)
        bodies: list[bytes] = []

        async def listen() -> Message:
            message = await receive()
            if self._log_texts:
                bodies.append(message.get("body", b""))
            return message

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            await self._app(scope, listen, answer)
        finally:
            self._count(scope, status, time.monotonic() - began)
            self._write(scope, request_id, status, time.monotonic() - began, b"".join(bodies))

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", "other")  # never the client's own words: there is no end of those
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
        self._metrics.requests.labels(method, path, status).inc()
        self._metrics.duration.labels(path).observe(seconds)

    def _write(self, scope: Scope, request_id: str, status: int, seconds: float, body: bytes) -> None:
        if not _log.isEnabledFor(logging.INFO):
            return
        line = {
            "time": round(time.time(), 3),
            "id": request_id,
            "client": scope["client"][0] if scope.get("client") else None,
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(1e3 * seconds, 2),
        }
        if self._log_texts:
            line["body"] = body.decode("utf-8", "replace")
        _log.info(json.dumps(line))

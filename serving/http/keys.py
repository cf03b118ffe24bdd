"""Who may ask, and how often: API keys from a file, and a token bucket for each of them."""

import hashlib
import hmac
import time
from collections import OrderedDict
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import RequestError, error_response
from .settings import ServerSettings

# What everybody may see: whether the server lives, what it speaks, and the page on which a key can be typed in.
_OPEN = ("/health", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs", "/", "/static/")
# Buckets that are remembered; the one that was used longest ago goes first.
_MOST_BUCKETS = 10_000


def read_keys(file: Path) -> dict[str, bytes]:
    """The keys of a file.

    Args:
        file: UTF-8, a key a line, as `name:key` or the key alone; empty lines and those that start with # do not count.

    Returns:
        Name to the SHA-256 of its key. A key without a name has the number of its line.

    Raises:
        ValueError: There is no key in it, or a key is shorter than 16 characters.
        OSError: It cannot be read.
    """
    keys = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, key = line.strip().partition(":")
        name, key = (name, key) if colon else (f"line {number}", name)
        if len(key) < 16:
            raise ValueError(
                f"An API key must have at least 16 characters. Received: {len(key)} in line {number} of {file}. "
                'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
            )
        keys[name] = hashlib.sha256(key.encode()).digest()
    if not keys:
        raise ValueError(f"A file of keys must have one at least. Received: {file} without any.")
    return keys


class Rates:
    """A token bucket for each client, as large as what may come in a minute."""

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, at this second

    def wait(self, client: str) -> float:
        """Seconds that a client has to wait before its next request; 0: it was let in."""
        now = time.monotonic()
        left, before = self._buckets.pop(client, (float(self._a_minute), now))
        left = min(self._a_minute, left + (now - before) * self._a_minute / 60)
        wait = 0.0 if left >= 1 else (1 - left) * 60 / self._a_minute
        self._buckets[client] = (left - 1 if left >= 1 else left), now
        if len(self._buckets) > _MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return wait


class Admission:
    """Lets in who has a key and does not ask too often."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._keys = read_keys(settings.keys) if settings.keys else {}
        self._rates = Rates(settings.rate) if settings.rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers 401 or 429."""
        if scope["type"] != "http" or _is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            self._admit(scope)
        except RequestError as error:
            await error_response(scope["path"], error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _admit(self, scope: Scope) -> None:
        client = scope["client"][0] if scope.get("client") else ""
        if self._keys:
            client = self._holder(Headers(scope=scope))
        wait = self._rates.wait(client) if self._rates else 0.0
        if wait:
            raise RequestError(
                429, f"Too many requests. Ask again in {wait:.0f} s.", code="rate_limit_exceeded",
                headers={"Retry-After": str(int(wait) + 1)},
            )  # fmt: skip

    def _holder(self, headers: Headers) -> str:
        """Whose key it is. Every key is compared, each in constant time."""
        given = headers.get("authorization", "").removeprefix("Bearer ").strip() or headers.get("x-api-key", "")
        digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
        holders = [name for name, key in self._keys.items() if hmac.compare_digest(key, digest)]
        if not holders:
            raise RequestError(
                401,
                "This server wants an API key, as the header Authorization: Bearer KEY. "
                f"Received: {'a wrong one' if given else 'none'}.",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return holders[0]


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith("/static/")

"""A real server on a real port, in a thread of the test's process."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from kerasllm.serving.http.app import make_app
from kerasllm.serving.http.server import bind
from kerasllm.serving.http.settings import ServerSettings


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    port: int
    app: FastAPI

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def state(self) -> Any:
        return self.app.state

    def ask(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Status and body, read as JSON where it is any; bytes are sent as they are, all else as JSON."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(
                "GET" if body is None else "POST", path, data, {"Content-Type": "application/json", **(headers or {})}
            )
            response = connection.getresponse()
            text = response.read()
            kind = response.headers.get("content-type", "")
            return response.status, json.loads(text) if kind.startswith("application/json") else text

    def until(self, condition: Any, seconds: float = 10.0) -> None:
        """Waits until something holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come to hold"
            time.sleep(0.01)


@contextlib.contextmanager
def running(bundles: Mapping[str, Path], *, wait: bool = True, **settings: Any) -> Iterator[Running]:
    """Serves bundles until the block ends; by default from when all of them are loaded."""
    app = make_app(bundles, ServerSettings(**{"threads": 1, **settings}))
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    found = Running(listener.getsockname()[1], app)
    try:
        found.until(lambda: server.started)
        if wait:
            found.until(lambda: app.state.models.ready or app.state.failure)
            assert app.state.failure is None, app.state.failure
        yield found
    finally:
        server.should_exit = True
        thread.join()
        listener.close()

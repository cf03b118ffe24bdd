"""Run the application: listen, say so, and end without losing a request."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import uvicorn

from .app import make_app
from .settings import ServerSettings

_LOOK = 0.05  # seconds between two looks at whether the models are loaded


def run(bundles: Mapping[str, Path], settings: ServerSettings, started: Callable[[str], None]) -> None:
    """Serves bundles until the process is told to end (SIGINT, SIGTERM).

    Then nothing new is accepted, and what runs has `drain_seconds` to end.

    Args:
        bundles: Name to folder.
        settings: Of the server.
        started: Called with the server's address, once all models are loaded.

    Raises:
        BundleError: A bundle cannot be loaded.
        OSError: The address cannot be listened on.
    """
    app = make_app(bundles, settings)
    with bind(settings.host, settings.port) as listener:
        host = f"[{settings.host}]" if listener.family == socket.AF_INET6 else settings.host
        address = f"http://{host}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=int(settings.drain_seconds) or 1,
            server_header=False,
        )  # fmt: skip
        server = uvicorn.Server(config)
        asyncio.run(_listen(server, listener, app.state, lambda: started(address)))
    if app.state.failure is not None:
        raise app.state.failure


def bind(host: str, port: int) -> socket.socket:
    """The socket to listen on.

    It names its protocol: asyncio turns Nagle's algorithm off only for sockets that do, and with it the body of a
    small answer would wait for the client's delayed acknowledgement of the head, 40 ms.

    Raises:
        OSError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


async def _listen(server: uvicorn.Server, listener: socket.socket, state, started: Callable[[], None]) -> None:
    async def announce() -> None:
        while not state.models.ready:
            if state.failure is not None:
                server.should_exit = True
                return
            await asyncio.sleep(_LOOK)
        started()

    # uvicorn raises a signal once more when it has ended because of it: that is all then.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    task = asyncio.create_task(announce())
    try:
        await server.serve(sockets=[listener])
    finally:
        task.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def log_to_stderr() -> None:
    """Lines of the log as they are, for whoever runs the server."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("kerasllm.access", "kerasllm.server", "kerasllm.serving", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO if name == "kerasllm.access" else logging.WARNING)

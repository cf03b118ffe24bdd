"""Files for a browser, and the browser: nothing it asks for comes from another machine."""

import contextlib
import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def chromium() -> str | None:
    """The browser's path, if there is one: the package chromium of Debian, for instance."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class _Files(http.server.SimpleHTTPRequestHandler):
    extensions_map: ClassVar = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serves a folder until the block ends; gives its address."""
    handler = functools.partial(_Files, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextlib.contextmanager
def opened(address: str, *, fails: bool = False, **options: Any) -> Iterator[Any]:
    """A page in a headless Chromium; afterwards, that it asked nobody else and logged no error.

    Args:
        address: What is opened; its server is the only one that may be asked.
        fails: Whether requests may be refused, which the browser logs as errors.
        options: Of Playwright's `new_page`.

    Raises:
        AssertionError: It asked another server, or something went wrong in it.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(**options)
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        yield page
        browser.close()
    origin = "{0.scheme}://{0.netloc}/".format(urlsplit(address))
    strange = [url for url in asked if not url.startswith((origin, "data:", "blob:"))]
    assert not strange, f"asked another server: {strange}"
    wrong = [text for text in wrong if not (fails and "Failed to load resource" in text)]
    assert not wrong, f"errors in the page: {wrong}"

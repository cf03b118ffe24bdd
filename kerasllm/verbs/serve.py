"""`kerasllm serve`: answer requests over HTTP with one BUNDLE or several."""

import json as json_format
import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..extras import require
from ..serving.http.settings import ServerSettings

_NAME = re.compile(r"[\w.-]{1,100}")
_LOCAL = ("127.0.0.1", "::1", "localhost")
_DEFAULT = ServerSettings()


def serve(
    *bundles: str,
    settings: Annotated[ServerSettings, Parameter(name="*", group="Server")] = _DEFAULT,
    json: bool = False,
) -> None:
    """Answer requests over HTTP with one BUNDLE or several: OpenAI's API, /embed, /classify, KServe's.

    A model has the name of its folder, or the one that is put before it: name=folder. Each setting can be given as a
    variable, too: KERASLLM_SERVE_PORT=9000. The page at / lets people try the models; /docs shows every path.

    For example:

    kerasllm serve bundles/reviews

    kerasllm serve chat=bundles/micro search=bundles/vectors --port 9000 --keys keys.txt

    curl localhost:8080/classify -H 'Content-Type: application/json' -d '{"inputs": "not bad at all"}'

    Args:
        bundles: Bundle folders, each as it is or as name=folder.
        settings: Of the server.
        json: Tell that the server has started by a JSON line.
    """
    if not bundles:
        raise ValueError("There must be a bundle to serve. Received: none. Try: kerasllm serve bundles/reviews")
    named = name_bundles(bundles)
    require("http", "fastapi")
    require("http", "uvicorn")
    require("http", "prometheus_client")
    from ..serving.http.server import log_to_stderr, run

    if settings.host not in _LOCAL and settings.keys is None:
        print("kerasllm: everybody who reaches this machine may ask: --keys FILE lets only some.", file=sys.stderr)
    log_to_stderr()
    run(named, settings, lambda address: _announce(address, list(named), json=json))


def name_bundles(bundles: tuple[str, ...]) -> dict[str, Path]:
    """Name to folder.

    Raises:
        ValueError: A name is no name, or there twice.
    """
    named: dict[str, Path] = {}
    for given in bundles:
        name, equals, folder = given.partition("=")
        path = Path(folder if equals else given)
        name = name if equals else path.resolve().name
        if not _NAME.fullmatch(name):
            raise ValueError(f"A model's name has letters, digits, '.', '_' and '-'. Received: {name!r}.")
        if name in named:
            raise ValueError(f"Models need different names. Received: {name!r} twice. Give one: {name}-2={path}")
        named[name] = path
    return named


def _announce(address: str, names: list[str], *, json: bool) -> None:
    if json:
        print(json_format.dumps({"address": address, "models": names}), flush=True)
        return
    print(f"Serving {', '.join(names)} at {address}", flush=True)
    print(f"Try them at {address}/ and read {address}/docs; end with Ctrl+C.", flush=True)

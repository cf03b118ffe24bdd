"""The application: every dialect's routes around the models and their work."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.middleware.cors import CORSMiddleware

from ... import __version__
from . import encoders, errors, page, tasks
from .access import Access
from .body import WholeBody
from .keys import Admission
from .kserve import generation, inference, metadata
from .metrics import Metrics
from .models import Models
from .openai import chat, completions, embeddings, listing
from .settings import ServerSettings
from .work import Work

_log = logging.getLogger("kerasllm.server")
_ABOUT = """Language models from kerasllm bundles, asked as one asks OpenAI (`/v1`), text-embeddings-inference
(`/embed`, `/predict`, `/rerank`) or a KServe server (`/v2`)."""


def make_app(bundles: Mapping[str, Path], settings: ServerSettings | None = None) -> FastAPI:
    """An ASGI application that serves bundles.

    Args:
        bundles: Name to bundle folder. They are loaded when the application starts; until then /health answers 503.
        settings: Limits and the like.

    Returns:
        The application; `app.state` has `settings`, `metrics`, `models` and `work`.

    Raises:
        ValueError: The file of keys is no such thing.
    """
    settings = settings or ServerSettings()
    metrics = Metrics()
    app = FastAPI(
        title="kerasllm", version=__version__, description=_ABOUT, lifespan=_lifespan, docs_url=None, redoc_url=None
    )
    app.state.settings, app.state.metrics = settings, metrics
    app.state.models, app.state.work = Models(bundles, settings, metrics), Work(settings, metrics)
    app.state.failure = None
    errors.install(app)
    for dialect in (listing, completions, chat, embeddings, encoders, tasks, metadata, inference, generation, page):
        app.include_router(dialect.router)
    app.add_api_route("/health", health, tags=["server"])
    app.add_api_route("/metrics", metrics_page, tags=["server"], response_class=Response)
    # The last one added is the first one asked.
    app.add_middleware(WholeBody, settings=settings)
    app.add_middleware(Admission, settings=settings)
    if settings.cors:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.cors, allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    app.add_middleware(Access, metrics=metrics, log_texts=settings.log_texts)
    return app


async def health(request: Request) -> JSONResponse:
    """Whether every model is loaded: 200, or 503."""
    models: Models = request.app.state.models
    return JSONResponse({"status": "ok" if models.ready else "loading"}, 200 if models.ready else 503)


async def metrics_page(request: Request) -> Response:
    """Counters and histograms, as Prometheus reads them."""
    state = request.app.state
    state.work.gauge(state.models)
    return Response(state.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Loads the models beside what the server does already, watches them, and closes them in the end."""
    tasks = [asyncio.create_task(_load(app))]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    app.state.models.close()
    app.state.work.close()


async def _load(app: FastAPI) -> None:
    try:
        await app.state.models.load()
    except Exception as error:
        app.state.failure = error  # who runs the server ends it
        _log.error("A bundle cannot be loaded: %s", error)
        return
    if app.state.settings.reload_seconds:
        await app.state.models.watch()

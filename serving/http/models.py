"""The bundles that a server answers with: loaded beside each other, replaced when they change on disk."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..batching import BatchedGraph
from ..bundle import open_bundle
from ..generation.engine import DecodeEngine
from ..generation.options import GenerationOptions
from ..loading import load_bundle
from ..manifest import Manifest
from ..rows import Row
from .errors import RETRY_AFTER, RequestError
from .metrics import Metrics
from .settings import ServerSettings

_log = logging.getLogger("kerasllm.server")
_MANIFEST = "kerasllm.json"
_WARM_TOKENS = (4, 32)


class ServedModel:
    """A loaded bundle, and how many requests use it now."""

    def __init__(self, name: str, path: Path, version: int, settings: ServerSettings, metrics: Metrics) -> None:
        """Loads it, checks every file's hash, and runs it a few times.

        Raises:
            BundleError: It cannot be loaded.
        """
        self.name, self.path, self.version = name, path, str(version)
        self.digest = _digest(path)
        self.manifest: Manifest = open_bundle(path).manifest
        self.task = self.manifest.task
        # Encoders run several calls at once, so threads that look out for work hinder others. A decoder's graph has one
        # caller, its engine, which comes back within a step.
        writes = self.task == "text-generation"
        self.served: Any = load_bundle(path, variant=settings.variant, threads=settings.threads, spinning=writes)
        self.engine: DecodeEngine | None = None
        if writes:
            self.engine = DecodeEngine(self.served, slots=settings.slots, most_waiting=settings.queue)
            self.served.generate([next(iter(self.served.ends), 0)], GenerationOptions(max_new_tokens=2))
        else:
            self.served.graph = BatchedGraph(
                self.served.graph, observe=lambda report: metrics.observe_run(name, report)
            )
            limit, pad = self.served.preprocessing.max_length, self.served.preprocessing.pad_token_id
            for tokens in _WARM_TOKENS:
                self.served.graph.run_all([Row(np.full(min(tokens, limit), pad))] * 2)
        self.loaded_at = int(time.time())
        self.uses = 0
        self.retired = False

    @property
    def decoder(self) -> DecodeEngine:
        """Its engine: it must be a decoder."""
        if self.engine is None:
            raise TypeError(f"{self.name} is no decoder.")
        return self.engine

    def take(self) -> None:
        """One request more uses it."""
        self.uses += 1

    def leave(self) -> None:
        """One request less does; the last one closes a model that was replaced."""
        self.uses -= 1
        if self.retired and not self.uses:
            self.close()

    def retire(self) -> None:
        """Ends it as soon as nobody uses it."""
        self.retired = True
        if not self.uses:
            self.close()

    def close(self) -> None:
        """Ends its thread, if it has one."""
        if self.engine is not None:
            self.engine.close(finish=False)


class Models:
    """All of them, by name. Everything but loading happens on the event loop's thread."""

    def __init__(self, bundles: Mapping[str, Path], settings: ServerSettings, metrics: Metrics) -> None:
        """Loads nothing yet.

        Args:
            bundles: Name to folder.
            settings: Of the server.
            metrics: Where runs are counted.
        """
        self._bundles, self._settings, self._metrics = dict(bundles), settings, metrics
        self._loaded: dict[str, ServedModel] = {}
        self._failed: dict[str, str] = {}  # name to the digest of what could not be loaded
        self._loader = ThreadPoolExecutor(1, "load")

    @property
    def ready(self) -> bool:
        """Whether all of them are loaded."""
        return len(self._loaded) == len(self._bundles)

    @property
    def names(self) -> list[str]:
        """Of all, loaded or not."""
        return list(self._bundles)

    def __iter__(self):
        """Those that are loaded."""
        return iter(list(self._loaded.values()))

    def get(self, name: str | None, *tasks: str) -> ServedModel:
        """The model that a request asks for.

        Args:
            name: Its name; None: the only one that does the task.
            tasks: What it must do, one of these; none: anything.

        Raises:
            RequestError: There is none of this name (404), it does another task (400), it is still being loaded (503).
        """
        if name is None:
            able = [model for model in self if not tasks or model.task in tasks]
            if len(able) == 1:
                return able[0]
            self._refuse_loading()
            if not able:
                raise RequestError(
                    404, f"No model here does {' or '.join(tasks) or 'anything'}.", code="model_not_found"
                )
            raise RequestError(
                400, f"Several models can do this: say which as `model`. They are {_names(able)}.", param="model"
            )
        model = self._loaded.get(name)
        if model is None:
            if name in self._bundles:
                self._refuse_loading()
            raise RequestError(
                404, f"There is no model {name[:100]!r} here. There are {', '.join(self._bundles)}.", param="model",
                code="model_not_found",
            )  # fmt: skip
        if tasks and model.task not in tasks:
            raise RequestError(
                400, f"This path is for {' or '.join(tasks)}. Received: {name}, which does {model.task}.", param="model"
            )
        return model

    async def load(self) -> None:
        """Loads all, one after the other.

        Raises:
            BundleError: One cannot be loaded.
        """
        for name, path in self._bundles.items():
            self._loaded[name] = await self._open(name, path, 1)

    async def watch(self) -> None:
        """Looks again and again whether a bundle has changed; takes the new one as soon as it is ready."""
        while True:
            await asyncio.sleep(self._settings.reload_seconds)
            for model in self:
                await self._refresh(model)

    def close(self) -> None:
        """Ends all."""
        self._loader.shutdown(wait=False, cancel_futures=True)
        for model in self:
            model.close()

    async def _refresh(self, model: ServedModel) -> None:
        loop = asyncio.get_running_loop()
        try:
            digest = await loop.run_in_executor(self._loader, _digest, model.path)
        except OSError:
            return  # it is being replaced, or is gone: the one that is loaded goes on
        if digest in (model.digest, self._failed.get(model.name)):
            return
        try:
            fresh = await self._open(model.name, model.path, int(model.version) + 1)
        except Exception as error:
            self._failed[model.name] = digest
            _log.warning("The changed bundle %s cannot be loaded, the old one stays: %s", model.name, error)
            return
        self._loaded[model.name] = fresh
        model.retire()
        _log.info("The changed bundle %s has been loaded.", model.name)

    async def _open(self, name: str, path: Path, version: int) -> ServedModel:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._loader, ServedModel, name, path, version, self._settings, self._metrics)

    def _refuse_loading(self) -> None:
        if not self.ready:
            raise RequestError(503, "The models are still being loaded.", code="loading", headers=RETRY_AFTER)


def _digest(path: Path) -> str:
    """Of the manifest, which has the digests of all other files."""
    return hashlib.sha256((path / _MANIFEST).read_bytes()).hexdigest()


def _names(models: list[ServedModel]) -> str:
    return ", ".join(model.name for model in models)

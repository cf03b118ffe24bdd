"""Bundles made by hand, for every test of serving."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .handmade import write_bundle


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a bundle: graphs by variant, and changes of the manifest."""

    def make(graphs: dict[str, bytes] | None = None, **changes: Any) -> Path:
        return write_bundle(tmp_path / "bundle", graphs, **changes)

    return make


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One bundle for all tests that only read it."""
    return write_bundle(tmp_path_factory.mktemp("shared") / "bundle")

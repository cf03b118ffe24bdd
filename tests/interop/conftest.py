"""One matrix for all cells; `make interop` has it written down."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .matrix import Matrix


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    """What every consumer answers."""
    found = Matrix(tmp_path_factory.mktemp("interop"))
    yield found
    out = os.environ.get("KERASLLM_INTEROP_MATRIX")
    if out:
        Path(out).write_text("\n".join(found.table()).rstrip() + "\n", encoding="utf-8")

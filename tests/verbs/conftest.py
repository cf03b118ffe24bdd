"""The command line in this process, and a bundle to call it on."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from kerasllm.cli import main

from ..serving.handmade import write_bundle


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """A function that runs `kerasllm` with some words."""

    def run(*words: object) -> Result:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        return Result(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle made by hand."""
    return write_bundle(tmp_path_factory.mktemp("shared") / "bundle")

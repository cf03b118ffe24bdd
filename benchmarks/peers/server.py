"""A peer's server: a process that listens on a port, and ends when the benchmark has done with it."""

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

_STARTING = 180  # seconds
_QUIET = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "DO_NOT_TRACK": "1",  # infinity reports home otherwise
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(command: Sequence[str], port: int, threads: int, log: Path) -> Iterator[int]:
    """A server that answers /health; it ends with the block.

    Args:
        command: What starts it.
        port: Where it will listen.
        threads: Threads of one operator, for libraries that read the environment.
        log: Where its messages go.

    Yields:
        Its process id.

    Raises:
        RuntimeError: It ended, or does not answer after minutes; the message is the last line of its log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    known = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    with log.open("w") as messages:
        process = subprocess.Popen(command, env={**os.environ, **_QUIET, **known}, stdout=messages, stderr=messages)
    try:
        until = time.monotonic() + _STARTING
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
                raise RuntimeError((lines or ["it ended without a word"])[-1][:300])
            time.sleep(0.2)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def memory(process: int, kind: str) -> int:
    """Bytes of a process that are resident: "VmRSS" now, "VmHWM" at most so far (Linux)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(kind))


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError):
        return False

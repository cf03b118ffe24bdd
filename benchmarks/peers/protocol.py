"""How a benchmark and a peer talk: a process a peer, one line of JSON asked, one line of JSON answered.

First an action, "prepare" (convert the checkpoint, once) or "load" (variants, for so many threads). After "load", any
number of requests to a "variant"; what else is asked and answered is the benchmark's own: encoding.py, generating.py.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

Opened = TypeVar("Opened")
"""A variant that was opened: whatever `answer` takes."""


def serve(
    prepare: Callable[[Path, Path], None],
    load: Callable[[Path, Path, int], dict[str, Callable[[], Opened]]],
    answer: Callable[[Opened, dict[str, Any]], dict[str, Any]],
) -> None:
    """Answers the benchmark, in the peer's process, until it hangs up.

    Args:
        prepare: Called with the checkpoint's folder and an empty folder for what is made of it.
        load: Called once, before the first request, with the checkpoint's folder, what `prepare` made of it and the
            number of threads; gives what opens each variant.
        answer: Called with a variant and a request; what it raises is the variant's failure.
    """
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not come between the answers
    asked = _asked()
    first = next(asked)
    folders = Path(first["checkpoint"]), Path(first["prepared"])
    if first["action"] == "prepare":
        prepare(*folders)
        print(json.dumps({"done": True}), file=out)
        return
    variants: dict[str, Opened] = {}
    failed = {}
    for name, open_variant in load(*folders, first["threads"]).items():
        if first["variants"] and name not in first["variants"]:
            continue
        try:
            variants[name] = open_variant()
        except Exception as error:  # another variant may work; the table says why this one did not
            failed[name] = _reason(error)
    print(json.dumps({"variants": list(variants), "failed": failed}), file=out)
    for request in asked:
        try:
            answered = answer(variants[request["variant"]], request)
        except Exception as error:
            answered = {"error": _reason(error)}
        print(json.dumps(answered), file=out)


def _asked() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


class Peer:
    """A peer's process, seen from the benchmark."""

    def __init__(self, python: Path, script: Path, threads: int, log: Path) -> None:
        """Starts it.

        Args:
            python: The interpreter of its environment.
            script: The peer's file.
            threads: Threads of one operator; libraries that read the environment are told by it.
            log: Where its messages go.
        """
        known = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), str(threads))
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        other = {"CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow", "TF_NUM_INTEROP_THREADS": "1"}
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as messages:
            self._process = subprocess.Popen(
                [str(python), str(script)], env={**os.environ, **known, **quiet, **other}, text=True, bufsize=1,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=messages,
            )  # fmt: skip

    def send(self, **request: Any) -> None:
        """Asks, without waiting for the answer."""
        with contextlib.suppress(BrokenPipeError):  # `receive` tells why it ended
            print(json.dumps(request), file=self._process.stdin)

    def receive(self) -> dict[str, Any]:
        """Waits for the answer.

        Raises:
            RuntimeError: The process ended; the message is the last line of its log.
        """
        line = self._process.stdout.readline()
        if not line:
            last = [text for text in self._log.read_text(errors="replace").splitlines() if text.strip()]
            raise RuntimeError((last or ["it ended without a word"])[-1][:300])
        return json.loads(line)

    def close(self) -> None:
        """Ends it."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.terminate()
        self._process.wait()

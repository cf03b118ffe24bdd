"""How the benchmark and a peer talk: a process a peer, one line of JSON asked, one line of JSON answered.

First an action, "prepare" (convert the checkpoint, once) or "load" (the variants, for so many threads). After "load",
any number of requests: {"variant", "cell", "rows": [[ids]], "runs"}, answered by {"ms": [each run]}; with "save", the
answer of one run goes to that file too, for the benchmark to compare.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[], Any]
"""Encodes a batch that was bound before: hidden states, float32 [rows, longest, hidden], or [tokens, hidden] a row."""
Bind = Callable[[list[np.ndarray]], Run]
"""Takes the rows, int64 [tokens] each, and makes whatever a user of the peer would have in hand before the call."""
Load = Callable[[Path, Path, int], dict[str, Callable[[], Bind]]]
"""Takes the checkpoint, what `prepare` made of it and the number of threads; gives what opens each variant."""


def serve(
    prepare: Callable[[Path, Path], None], load: Callable[[Path, Path, int], dict[str, Callable[[], Bind]]]
) -> None:
    """Answers the benchmark, in the peer's process, until it hangs up.

    Args:
        prepare: Called with the checkpoint's folder and an empty folder for what is made of it.
        load: Called once, before the first batch.
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
    binds: dict[str, Bind] = {}
    failed = {}
    for name, open_variant in load(*folders, first["threads"]).items():
        try:
            binds[name] = open_variant()
        except Exception as error:  # another variant may work; the table says why this one did not
            failed[name] = _reason(error)
    print(json.dumps({"variants": list(binds), "failed": failed}), file=out)
    bound: dict[tuple[str, str], Run] = {}
    for request in asked:
        print(json.dumps(_answer(request, binds, bound)), file=out)


def pad(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and mask, int64 [rows, longest], padded with 0 on the right."""
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    return ids, mask


def _asked() -> Iterator[dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def _answer(request: dict[str, Any], binds: dict[str, Bind], bound: dict[tuple[str, str], Run]) -> dict[str, Any]:
    key = (request["variant"], request["cell"])
    try:
        if key not in bound:
            bound[key] = binds[request["variant"]]([np.array(row, np.int64) for row in request["rows"]])
        run = bound[key]
        times = []
        for _ in range(request["runs"]):
            began = time.perf_counter()
            answer = run()
            times.append(1e3 * (time.perf_counter() - began))
        if request.get("save"):
            lengths = [len(row) for row in request["rows"]]
            whole = [np.asarray(row, np.float32)[:size] for row, size in zip(answer, lengths, strict=True)]
            np.save(request["save"], np.concatenate(whole))
    except Exception as error:
        return {"error": _reason(error)}
    return {"ms": times}


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

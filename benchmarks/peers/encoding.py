"""A peer that encodes: requests {"variant", "cell", "rows": [[ids]], "runs"}, answered by {"ms": [each run]}.

With "save", the answer of one run goes to that file too, for the benchmark to compare.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import protocol

Run = Callable[[], Any]
"""Encodes a batch that was bound before: hidden states, float32 [rows, longest, hidden], or [tokens, hidden] a row."""
Bind = Callable[[list[np.ndarray]], Run]
"""Takes the rows, int64 [tokens] each, and makes whatever a user of the peer would have in hand before the call."""
Load = Callable[[Path, Path, int], dict[str, Callable[[], Bind]]]
"""Takes the checkpoint, what `prepare` made of it and the number of threads; gives what opens each variant."""


def serve(prepare: Callable[[Path, Path], None], load: Load) -> None:
    """Answers the benchmark until it hangs up: see `protocol.serve`."""
    bound: dict[tuple[str, str], Run] = {}

    def answer(bind: Bind, request: dict[str, Any]) -> dict[str, Any]:
        key = (request["variant"], request["cell"])
        if key not in bound:
            bound[key] = bind([np.array(row, np.int64) for row in request["rows"]])
        return _measure(bound[key], request)

    protocol.serve(prepare, load, answer)


def pad(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and mask, int64 [rows, longest], padded with 0 on the right."""
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    return ids, mask


def _measure(run: Run, request: dict[str, Any]) -> dict[str, Any]:
    times = []
    for _ in range(request["runs"]):
        began = time.perf_counter()
        answer = run()
        times.append(1e3 * (time.perf_counter() - began))
    if request.get("save"):
        lengths = [len(row) for row in request["rows"]]
        whole = [np.asarray(row, np.float32)[:size] for row, size in zip(answer, lengths, strict=True)]
        np.save(request["save"], np.concatenate(whole))
    return {"ms": times}

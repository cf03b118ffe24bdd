"""A peer that generates: requests {"variant", "prompts": [[ids]], "tokens"}, a run for each prompt.

Answered by {"ms": [each run], "tokens": [[ids that each run gave]], "peak": bytes of memory, "file": bytes}.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import protocol

Generate = Callable[[list[int], int], list[int]]
"""Takes a prompt and how many tokens to add greedily, whatever they are; gives the added ones."""


@dataclass(frozen=True)
class Generator:
    """A variant that was opened."""

    generate: Generate
    weights: Path
    """Its file, or the folder of its files."""


Load = Callable[[Path, Path, int], dict[str, Callable[[], Generator]]]
"""Takes the checkpoint, what `prepare` made of it and the number of threads; gives what opens each variant."""


def serve(prepare: Callable[[Path, Path], None], load: Load) -> None:
    """Answers the benchmark until it hangs up: see `protocol.serve`."""
    protocol.serve(prepare, load, _answer)


def _answer(generator: Generator, request: dict[str, Any]) -> dict[str, Any]:
    times, added = [], []
    for prompt in request["prompts"]:
        began = time.perf_counter()
        tokens = generator.generate(prompt, request["tokens"])
        times.append(1e3 * (time.perf_counter() - began))
        added.append([int(token) for token in tokens])
        if len(tokens) != request["tokens"]:
            raise ValueError(f"It gave {len(tokens)} tokens instead of {request['tokens']}.")
    return {"ms": times, "tokens": added, "peak": _peak(), "file": _size(generator.weights)}


def _peak() -> int:
    """The most memory that this process ever had resident; Linux alone tells that of a process, not of its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _size(path: Path) -> int:
    """Bytes of the weights, without tokenizers and settings."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files if file.suffix not in {".json", ".txt", ".jinja"})

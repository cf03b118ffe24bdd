"""Does the server stay as it is? Half an hour of mixed traffic at most of what it can carry.

    python benchmarks/soak.py [--minutes 30] [--share 0.8]

One process serves three bundles in int8, untrained ones of real sizes: an LSTM classifier, MiniLM-L6's shape as an
embedder, and GPT-2's (124M). First its capacity is found: 16 clients who ask without a pause. Then requests come by
chance (a Poisson process) at a share of that rate, whether earlier ones are answered or not: most classify or embed a
text, some embed sixteen, some generate 32 tokens as a stream, and every tenth stream's client hangs up half-way. Memory
is looked at every ten seconds. Writes benchmarks/results/soak.md and soak.png (not with fewer than 30 minutes).
"""

import argparse
import asyncio
import datetime
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import matplotlib.pyplot as plt
import numpy as np
from contest import HERE, OURS, progress
from footprint import export_untrained
from peers.checkpoint import VOCABULARY
from peers.decoder_checkpoint import END
from peers.environment import CACHE
from peers.server import free_port, memory, running

from kerasllm.serving.cpu import read_cpu

RESULTS = HERE / "results" / "soak.md"
THREADS = 2
_EVERY = 10.0  # seconds between two looks at memory
_SETTLED = 5  # minutes after which memory should stay
_TRIAL = 60.0  # seconds for the capacity
_CLIENTS = 16


@dataclass(frozen=True)
class Request:
    """One of the traffic."""

    kind: str
    path: str
    body: dict
    leaves: bool = False
    """Whether the client hangs up when half of the stream is there."""


@dataclass
class Log:
    """What happened."""

    waits: dict[str, list[float]] = field(default_factory=dict)
    """Seconds of each answered request, by kind."""
    errors: Counter[str] = field(default_factory=Counter)
    left: int = 0
    """Streams that their clients left."""


def main() -> None:
    """Runs, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--share", type=float, default=0.8, help="of the capacity")
    options = parser.parse_args()
    port, command = free_port(), [str(Path(sys.executable).with_name("kerasllm")), "serve", *_bundles()]
    command += ["--port", str(port), "--threads", str(THREADS), "--variant", "int8"]
    with running(command, port, THREADS, CACHE / "logs" / "soak.log") as process:
        progress(f"what can it carry? {_CLIENTS} clients for {_TRIAL:.0f} s")
        capacity = asyncio.run(_capacity(port))
        progress(f"{capacity:.1f} requests / s; now {options.share:.0%} of that for {options.minutes:g} minutes")
        log, resident = asyncio.run(_soak(port, process, options.share * capacity, 60 * options.minutes))
    lines = _report(log, resident, capacity, options)
    print("\n".join(lines))
    if options.minutes >= 30:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
        _plot(resident)


def _bundles() -> list[str]:
    """The three of them, named; the large ones are those that serving.py made."""
    classifier = CACHE / "models" / "lstm" / "bundle"
    if not classifier.exists():
        export = multiprocessing.get_context("spawn").Process(target=export_untrained, args=(classifier,))
        export.start()
        export.join()
    large = {
        name: CACHE / "models" / shape / OURS / "bundle" for name, shape in (("embed", "minilm"), ("write", "gpt2"))
    }
    absent = [str(path) for path in large.values() if not path.exists()]
    if absent:
        sys.exit(f"There is no {absent[0]}: run `python benchmarks/serving.py --prepare` first.")
    return [f"classify={classifier}", *(f"{name}={path}" for name, path in large.items())]


def _traffic(seed: int) -> Iterator[Request]:
    draw = np.random.default_rng(seed)

    def text(most: int = VOCABULARY) -> str:
        return " ".join(f"word{word}" for word in draw.integers(5, most, draw.integers(4, 100)))

    while True:
        chance = draw.random()
        if chance < 0.5:
            yield Request("classify", "/classify", {"model": "classify", "inputs": text(9_998)})
        elif chance < 0.85:
            yield Request("embed", "/v1/embeddings", {"model": "embed", "input": [text()]})
        elif chance < 0.9:
            yield Request("embed 16", "/v1/embeddings", {"model": "embed", "input": [text() for _ in range(16)]})
        else:
            prompt = draw.integers(0, END, draw.integers(1, 100)).tolist()
            body = {"model": "write", "prompt": prompt, "max_tokens": 32, "seed": 1, "stream": True}
            yield Request("generate 32", "/v1/completions", body, leaves=bool(draw.random() < 0.1))


async def _capacity(port: int) -> float:
    """Requests a second that clients get answered who never pause."""
    log, traffic = Log(), _traffic(seed=1)
    async with aiohttp.ClientSession() as session:
        until = time.monotonic() + _TRIAL

        async def one_after_the_other() -> None:
            while time.monotonic() < until:
                await _ask(session, port, next(traffic), log)

        async with asyncio.TaskGroup() as group:
            for _ in range(_CLIENTS):
                group.create_task(one_after_the_other())
    return (sum(map(len, log.waits.values())) + log.left) / _TRIAL


async def _soak(port: int, process: int, rate: float, seconds: float) -> tuple[Log, list[tuple[float, int]]]:
    """Requests by chance; the log, and (seconds, bytes resident) every ten seconds."""
    log, resident, traffic = Log(), [], _traffic(seed=2)
    draw, began = np.random.default_rng(3), time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:

        async def look() -> None:
            while time.monotonic() - began < seconds:
                resident.append((time.monotonic() - began, memory(process, "VmRSS")))
                await asyncio.sleep(_EVERY)

        group.create_task(look())
        due = began
        while due < began + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(_ask(session, port, next(traffic), log))
            due += draw.exponential(1 / rate)
    return log, resident


async def _ask(session: aiohttp.ClientSession, port: int, request: Request, log: Log) -> None:
    began, pieces = time.monotonic(), 0
    try:
        async with session.post(f"http://127.0.0.1:{port}{request.path}", json=request.body) as response:
            if response.status != 200:
                log.errors[f"{request.kind}: {response.status} {(await response.text())[:100]}"] += 1
                return
            async for line in response.content:
                pieces += line.startswith(b"data:")
                if b'"error"' in line:
                    log.errors[f"{request.kind}: {line[:100]!r}"] += 1
                if request.leaves and pieces == 10:
                    log.left += 1
                    return
    except (aiohttp.ClientError, TimeoutError) as error:
        log.errors[f"{request.kind}: {type(error).__name__} {error}"] += 1
        return
    log.waits.setdefault(request.kind, []).append(time.monotonic() - began)


def _report(log: Log, resident: list[tuple[float, int]], capacity: float, options: argparse.Namespace) -> list[str]:
    cpu = read_cpu()
    settled = [size / 1e6 for at, size in resident if at >= 60 * _SETTLED] or [resident[-1][1] / 1e6]
    lines = [
        "# The server under load for half an hour",
        "",
        f"Made by `python benchmarks/soak.py`, {datetime.date.today()}. CPU: {cpu.model}, {cpu.cores} cores, the "
        "clients on them too.",
        "",
        f"Capacity {capacity:.1f} requests / s; {options.share:.0%} of it for {options.minutes:g} minutes.",
        "",
        "| | answered | p50, ms | p95, ms | p99, ms |",
        "|---|--:|--:|--:|--:|",
    ]
    for kind, waits in sorted(log.waits.items()):
        cells = " | ".join(f"{1e3 * number:.3g}" for number in np.percentile(waits, (50, 95, 99)))
        lines.append(f"| {kind} | {len(waits):,} | {cells} |")
    lines += [
        "",
        f"- {log.left:,} streams were left by their clients.",
        f"- Errors: {sum(log.errors.values()):,}. "
        + "; ".join(f"{count} x {text}" for text, count in log.errors.items()),
        f"- Memory from minute {_SETTLED} on: {settled[0]:.0f} MB first, {min(settled):.0f} to {max(settled):.0f} MB, "
        f"{settled[-1]:.0f} MB last: {100 * (max(settled) / settled[0] - 1):+.1f} % at most.",
    ]
    return lines


def _plot(resident: list[tuple[float, int]]) -> None:
    times, sizes = np.array(resident).T
    figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
    axes.plot(times / 60, sizes / 1e6)
    axes.set(xlabel="minutes", ylabel="resident memory, MB", ylim=(0, None))
    figure.savefig(RESULTS.with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()

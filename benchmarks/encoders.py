"""How long do transformer encoders take, from token ids to hidden states: our bundles beside the other ways there are?

    python benchmarks/encoders.py [--quick] [--peers NAME ...] [--shapes NAME ...] [--threads 1 2] [--prepare]

DistilBERT-base and MiniLM-L6 shapes, weights at random, the same in every peer: each reads one Hugging Face folder.
Each peer runs in a process and an environment of its own, made on the first run under ~/.cache/kerasllm/benchmarks (or
$KERASLLM_BENCHMARKS; 5 GB), where what it makes of the checkpoint is kept too. Ours is exported anew in every run.
All peers take turns, round after round, so what the machine does besides hits all alike. Every peer's hidden states are
compared with numpy's first. Writes benchmarks/results/encoders.md (not with --quick, or with a part of the peers).
"""

import argparse
import datetime
import shutil
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from peers.checkpoint import SHAPES, VOCABULARY, Shape, reference, write_checkpoint
from peers.environment import CACHE, python_of
from peers.floors import gemm_rates
from peers.protocol import Peer

from kerasllm.serving.cpu import read_cpu

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "encoders.md"
OURS = "kerasllm"
_TORCH = ["torch==2.13.0", "transformers==4.57.6"]
# Script and requirements of each peer, in the order in which they are prepared: openvino reads what optimum exports.
PEERS: dict[str, tuple[str, list[str]]] = {
    OURS: ("kerasllm_bundle.py", []),
    "keras": ("keras_tensorflow.py", []),
    "pytorch": ("pytorch.py", _TORCH),
    "optimum": ("optimum_onnxruntime.py", ["optimum-onnx==0.1.0", "onnxruntime==1.31.1", *_TORCH, "sympy"]),
    "openvino": ("openvino_nncf.py", ["openvino==2026.4.1", "nncf==3.4.0"]),
    "ctranslate2": ("ctranslate2_int8.py", ["ctranslate2==4.8.5", *_TORCH]),
}
_RUNS = 5  # of each peer in a round, beside one that is dropped; the round counts their median
_SLOW = 500  # ms of a run from which a round has one run alone
_PAUSE = 0.25  # seconds before another peer's turn: idle threads of some libraries spin for 0.2
_ENDLESS = 20_000  # ms of a run from which there is no second one
_WRONG = 0.9  # cosine to the reference below which a peer computes something else


@dataclass(frozen=True)
class Batch:
    """What is encoded."""

    cell: str
    """The column of the table that it fills."""
    rows: list[list[int]]
    """Token ids of each row."""
    expected: np.ndarray
    """The hidden states of all tokens in turn, float32 [tokens, hidden]."""


@dataclass
class Contender:
    """One variant of one peer."""

    peer: str
    variant: str
    times: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds of each round, by cell."""
    cosine: float = 1.0
    """The lowest over the cells of the mean cosine of its hidden states with the reference's."""
    failure: str = ""

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.peer} {self.variant}"

    @property
    def int8(self) -> bool:
        """Whether its products are of int8."""
        return "int8" in self.variant


def main() -> None:
    """Measures, prints, writes."""
    options = _options()
    began, absent, sections = time.perf_counter(), {}, []
    scripts = {name: PEERS[name] for name in PEERS if name in {OURS, *options.peers}}
    pythons = {}
    for name, (_, requirements) in scripts.items():
        progress(f"environment of {name}")
        try:
            pythons[name] = python_of(name, requirements)
        except RuntimeError as error:
            absent[name] = f"cannot be installed: {error}"
            progress(absent[name])
    for shape_name in options.shapes:
        checkpoint = CACHE / "models" / shape_name / "checkpoint"
        write_checkpoint(checkpoint, SHAPES[shape_name])
        ready = {}
        for name, python in pythons.items():
            if options.prepare and name == OURS:  # it is exported when it is measured
                continue
            progress(f"{shape_name}: {name} converts the checkpoint")
            try:
                ready[name] = (python, prepare(name, python, checkpoint))
            except RuntimeError as error:
                absent[f"{name} ({shape_name})"] = f"cannot convert the checkpoint: {error}"
                progress(absent[f"{name} ({shape_name})"])
        if options.prepare:
            continue
        progress(f"{shape_name}: the reference")
        batches = [
            Batch(
                cell, rows, np.concatenate(reference(checkpoint, SHAPES[shape_name], [np.array(row) for row in rows]))
            )
            for cell, rows in cells(options.quick).items()
        ]
        for threads in options.threads:
            sections.append(measure_section(shape_name, threads, checkpoint, ready, batches, options.seconds))
            print("\n".join(section_lines(sections[-1])), flush=True)
    progress(f"done in {(time.perf_counter() - began) / 60:.0f} minutes")
    if sections and not options.quick and len(scripts) == len(PEERS):
        write(sections, absent, pythons)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS, help="beside our own; default: all")
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=SHAPES)
    parser.add_argument("--threads", nargs="+", default=[1, 2], type=int)
    parser.add_argument("--seconds", default=12.0, type=float, help="time for a table's column; two rounds at least")
    parser.add_argument("--quick", action="store_true", help="one round of small batches: does everything run?")
    parser.add_argument("--prepare", action="store_true", help="install and convert only")
    options = parser.parse_args()
    if options.quick:
        options.seconds = 0
    return options


def progress(message: str) -> None:
    """A line on the screen, with the time of day."""
    print(f"[{datetime.datetime.now():%H:%M:%S}] {message}", flush=True)


def cells(quick: bool) -> dict[str, list[list[int]]]:
    """The batches: rows of token ids, by the name of their column."""
    draw = np.random.default_rng(0)
    lengths = {
        "1 x 32": [32],
        "1 x 128": [128],
        "32 x 128": [128] * 32,
        "32 x 8..128": np.random.default_rng(1).integers(8, 129, 32).tolist(),
    }
    if quick:
        lengths = {"1 x 32": [32], "3 x 8..128": [8, 128, 50]}
    return {name: [draw.integers(1000, VOCABULARY, size).tolist() for size in sizes] for name, sizes in lengths.items()}


def prepare(name: str, python: Path, checkpoint: Path) -> Path:
    """What a peer makes of the checkpoint; kept for the next run, but for our own.

    Raises:
        RuntimeError: It cannot.
    """
    folder = checkpoint.parent / name
    if name == OURS or not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        peer = Peer(python, HERE / "peers" / PEERS[name][0], threads=2, log=CACHE / "logs" / f"{name}.prepare.log")
        peer.send(action="prepare", checkpoint=str(checkpoint), prepared=str(folder))
        try:
            peer.receive()
        finally:
            peer.close()
        (folder / "ready").touch()
    return folder


def measure_section(
    shape_name: str,
    threads: int,
    checkpoint: Path,
    ready: dict[str, tuple[Path, Path]],
    batches: list[Batch],
    seconds: float,
) -> dict[str, Any]:
    """One table: all peers at one shape and number of threads."""
    progress(f"{shape_name}, {threads} thread(s): the floor, then loading")
    floors = gemm_rates(threads)
    peers, contenders = {}, []
    for name, (python, folder) in ready.items():
        log = CACHE / "logs" / f"{name}.{shape_name}.{threads}.log"
        peers[name] = Peer(python, HERE / "peers" / PEERS[name][0], threads, log)
        peers[name].send(action="load", checkpoint=str(checkpoint), prepared=str(folder), threads=threads)
    try:
        for name, peer in peers.items():
            contenders += loaded(name, peer)
        for batch in batches:
            for each in contenders:
                warm_up(each, peers[each.peer], batch)
            rounds = measure_cell(contenders, peers, batch, seconds)
            progress(f"{shape_name}, {threads} thread(s), {batch.cell}: {rounds} rounds")
    finally:
        for peer in peers.values():
            peer.close()
    return {"shape": shape_name, "threads": threads, "floors": floors, "contenders": contenders}


def loaded(name: str, peer: Peer) -> list[Contender]:
    """The variants of a peer, those that could not be loaded included."""
    try:
        answer = peer.receive()
    except RuntimeError as error:
        return [Contender(name, "", failure=f"cannot be loaded: {error}")]
    failed = [Contender(name, variant, failure=reason) for variant, reason in answer["failed"].items()]
    return [Contender(name, variant) for variant in answer["variants"]] + failed


def warm_up(each: Contender, peer: Peer, batch: Batch) -> None:
    """Runs a batch once, and compares what comes with the reference."""
    if each.failure:
        return
    file = CACHE / "answer.npy"
    answer = ask(each, peer, batch, runs=1, save=str(file))
    if answer:
        got, expected = np.load(file), batch.expected
        norms = np.linalg.norm(got, axis=1) * np.linalg.norm(expected, axis=1)
        each.cosine = min(each.cosine, float(np.mean(np.sum(got * expected, axis=1) / norms)))
        each.times[batch.cell] = answer


def ask(each: Contender, peer: Peer, batch: Batch, **request: Any) -> list[float]:
    """Milliseconds of each run; none where the peer failed, which it then has for good."""
    try:
        peer.send(variant=each.variant, cell=batch.cell, rows=batch.rows, **request)
        answer = peer.receive()
    except RuntimeError as error:
        answer = {"error": str(error)}
    each.failure = answer.get("error", "")
    return answer.get("ms", [])


def measure_cell(contenders: list[Contender], peers: dict[str, Peer], batch: Batch, seconds: float) -> int:
    """Rounds until the time is over, two at least; where runs are slow, the warm-up counts as one more."""
    cell, until, rounds = batch.cell, time.perf_counter() + seconds, 0
    warm = {each.name: each.times.pop(cell, [0.0])[0] for each in contenders}
    for each in contenders:
        each.times[cell] = [warm[each.name]] if warm[each.name] >= _SLOW else []
    before = ""
    while rounds < 2 or time.perf_counter() < until:
        for each in contenders[:: 1 if rounds % 2 else -1]:  # nobody always runs after the same one
            if each.failure or warm[each.name] >= _ENDLESS:
                continue
            if each.peer != before:
                time.sleep(_PAUSE)
            before, runs = each.peer, 1 if warm[each.name] >= _SLOW else 1 + _RUNS
            times = ask(each, peers[each.peer], batch, runs=runs)
            if times:  # the first of several finds the caches full of others' weights
                each.times[cell].append(statistics.median(times[runs > 1 :]))
        rounds += 1
    return rounds


def section_lines(section: dict[str, Any]) -> list[str]:
    """A table in Markdown: the median of each cell, and its ratio to ours of the same kind."""
    contenders, floors = section["contenders"], section["floors"]
    columns = list(dict.fromkeys(cell for each in contenders for cell in each.times))
    lines = [
        f"## {section['shape']}, {section['threads']} thread{'s' if section['threads'] > 1 else ''}",
        "",
        f"| ms (ratio to ours) | {' | '.join(columns)} | cosine |",
        f"|---|{'--:|' * len(columns)}--:|",
    ]
    for each in sorted(contenders, key=lambda contender: contender.int8):
        if each.failure:
            lines.append(f"| {each.name} | {each.failure.replace('|', ' ')} |{' |' * len(columns)}")
            continue
        best = {cell: ours(contenders, each.int8, cell) for cell in columns}
        texts = [entry(each.times[cell], best[cell], mine=each.peer == OURS) for cell in columns]
        wrong = " (wrong)" if each.cosine < _WRONG else ""
        lines.append(f"| {each.name}{wrong} | {' | '.join(texts)} | {each.cosine:.4f} |")
    return [*lines, "", *floor_lines(section["shape"], floors, contenders), ""]


def ours(contenders: list[Contender], int8: bool, cell: str) -> float | None:
    """Our best median of a cell, of the kind that a peer is compared with."""
    mine = [each for each in contenders if each.peer == OURS and each.int8 == int8 and each.times.get(cell)]
    return min((statistics.median(each.times[cell]) for each in mine), default=None)


def entry(times: list[float], best: float | None, *, mine: bool) -> str:
    """Median, quartiles where there are enough rounds, and the ratio."""
    median = statistics.median(times)
    spread = ""
    if len(times) > 3:
        low, _, high = statistics.quantiles(times, n=4)
        spread = f" [{low:.3g}, {high:.3g}]"
    return f"{median:.3g}{spread}" + (f" ({median / best:.2f})" if best and not mine else "")


def floor_lines(shape_name: str, floors: dict[str, float], contenders: list[Contender]) -> list[str]:
    """What the matrix products alone would take at the machine's best rate, and what ours take."""
    shape: Shape = SHAPES[shape_name]
    lines = []
    for kind, rate in floors.items():
        for cell, rows in cells(quick=False).items():
            best = ours(contenders, kind == "int8", cell)
            if best and len(rows) == 1:
                least = shape.flops(np.array([len(row) for row in rows])) / rate / 1e6
                lines.append(
                    f"- {kind} products at {rate:.0f} GOP/s, {cell}: {least:.3g} ms; ours: {best / least:.2f} x"
                )
    return lines


def write(sections: list[dict[str, Any]], absent: dict[str, str], pythons: dict[str, Path]) -> None:
    """The results file."""
    cpu = read_cpu()
    versions = [f"{name}: {', '.join(PEERS[name][1]) or 'the versions of constraints.txt'}" for name in pythons]
    lines = [
        "# Encoders: from token ids to hidden states",
        "",
        "Made by `python benchmarks/encoders.py`, " + f"{datetime.date.today()}.",
        "",
        f"CPU: {cpu.model}, {cpu.cores} cores, {'with' if cpu.exact_int8 else 'without'} VNNI. "
        "Median ms [quartiles] of rounds in which all take turns; in brackets, the ratio to our float or int8 bundle. "
        "Cosine: of the hidden states with those of numpy in float32, the mean of the worst batch.",
        "",
        *[f"- {line}" for line in versions],
        *[f"- {name}: {reason}" for name, reason in absent.items()],
        "",
    ]
    for section in sections:
        lines += section_lines(section)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

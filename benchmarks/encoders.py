"""How long do transformer encoders take, from token ids to hidden states: our bundles beside the other ways there are?

    python benchmarks/encoders.py [--quick] [--peers NAME ...] [--shapes NAME ...] [--threads 1 2] [--prepare]

DistilBERT-base and MiniLM-L6 shapes, weights at random, the same in every peer: each reads one Hugging Face folder.
Each peer runs in a process and an environment of its own, made on the first run under ~/.cache/kerasllm/benchmarks (or
$KERASLLM_BENCHMARKS; 5 GB), where what it makes of the checkpoint is kept too. Ours is exported anew in every run.
All peers take turns, round after round, so what the machine does besides hits all alike. Every peer's hidden states are
compared with numpy's first. Writes benchmarks/results/encoders.md (not with --quick, or with a part of the peers).
"""

import argparse
import statistics
import time
from dataclasses import dataclass

import numpy as np
from contest import (
    HERE,
    OPTIMUM,
    OURS,
    TORCH,
    Contender,
    Entrant,
    ask,
    convert,
    entry,
    environments,
    failed_row,
    heading,
    opened,
    ours,
    progress,
    turns,
    write_results,
)
from peers.checkpoint import SHAPES, VOCABULARY, Shape, reference, write_checkpoint
from peers.environment import CACHE
from peers.floors import gemm_rates
from peers.protocol import Peer

RESULTS = HERE / "results" / "encoders.md"
# In the order in which they are prepared: openvino reads what optimum exports.
PEERS = {
    OURS: Entrant("kerasllm_bundle.py"),
    "keras": Entrant("keras_tensorflow.py"),
    "pytorch": Entrant("pytorch.py", TORCH),
    "optimum": Entrant("optimum_onnxruntime.py", OPTIMUM),
    "openvino": Entrant("openvino_nncf.py", ["openvino==2026.4.1", "nncf==3.4.0"]),
    "ctranslate2": Entrant("ctranslate2_int8.py", ["ctranslate2==4.8.5", *TORCH]),
}
_RUNS = 5  # of each peer in a round, beside one that is dropped; the round counts their median
_SLOW = 500  # ms of a run from which a round has one run alone
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
class Encoder(Contender):
    """One variant of one peer."""

    cosine: float = 1.0
    """The lowest over the cells of the mean cosine of its hidden states with the reference's."""

    @property
    def kind(self) -> str:
        """What its products are of."""
        return "int8" if "int8" in self.variant else "fp32"


def main() -> None:
    """Measures, prints, writes."""
    options = _options()
    began, absent, lines = time.perf_counter(), {}, []
    entrants = {name: PEERS[name] for name in PEERS if name in {OURS, *options.peers}}
    pythons = environments(entrants, absent)
    for name in options.shapes:
        checkpoint = CACHE / "models" / name / "checkpoint"
        write_checkpoint(checkpoint, SHAPES[name])
        if options.prepare:  # ours is exported when it is measured
            convert(checkpoint, entrants, {peer: pythons[peer] for peer in pythons if peer != OURS}, absent)
            continue
        ready = convert(checkpoint, entrants, pythons, absent)
        progress(f"{name}: the reference")
        batches = [
            Batch(cell, rows, np.concatenate(reference(checkpoint, SHAPES[name], [np.array(row) for row in rows])))
            for cell, rows in cells(options.quick).items()
        ]
        for threads in options.threads:
            progress(f"{name}, {threads} thread(s): the floor, then loading")
            floors = gemm_rates(threads)
            with opened(checkpoint, entrants, pythons, ready, threads, Encoder) as pairs:
                for batch in batches:
                    rounds = measure(pairs, batch, options.seconds)
                    progress(f"{name}, {threads} thread(s), {batch.cell}: {rounds} rounds")
            encoders = [encoder for encoder, _ in pairs]
            section = [*table(encoders), "", *floor_lines(SHAPES[name], floors, encoders)]
            lines += [heading(name, threads), "", *section, ""]
            print("\n".join(section), flush=True)
    progress(f"done in {(time.perf_counter() - began) / 60:.0f} minutes")
    if lines and not options.quick and len(entrants) == len(PEERS):
        about = (
            "Median ms [quartiles] of rounds in which all take turns; in brackets, the ratio to our float or int8 "
            "bundle. Cosine: of the hidden states with those of numpy in float32, the mean of the worst batch."
        )
        write_results(RESULTS, "Encoders: from token ids to hidden states", about, entrants, absent, lines)


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


def measure(pairs: list[tuple[Encoder, Peer]], batch: Batch, seconds: float) -> int:
    """Rounds until the time is over, two at least; where runs are slow, the warm-up counts as one more."""
    cell, rounds = batch.cell, 0
    warm = {encoder.name: warm_up(encoder, peer, batch) for encoder, peer in pairs if not encoder.failure}
    for encoder, _ in pairs:
        encoder.times[cell] = [warm[encoder.name]] if warm.get(encoder.name, 0) >= _SLOW else []
    quick_enough = [pair for pair in pairs if warm.get(pair[0].name, 0) < _ENDLESS]
    for index, encoder, peer in turns(quick_enough, seconds, least=2):
        rounds, runs = index + 1, 1 if warm[encoder.name] >= _SLOW else 1 + _RUNS
        times = ask(encoder, peer, cell=cell, rows=batch.rows, runs=runs).get("ms")
        if times:  # the first of several finds the caches full of others' weights
            encoder.times[cell].append(statistics.median(times[runs > 1 :]))
    return rounds


def warm_up(encoder: Encoder, peer: Peer, batch: Batch) -> float:
    """Milliseconds of the first run, whose answer is compared with the reference."""
    file = CACHE / "answer.npy"
    times = ask(encoder, peer, cell=batch.cell, rows=batch.rows, runs=1, save=str(file)).get("ms")
    if not times:
        return 0.0
    got, expected = np.load(file), batch.expected
    norms = np.linalg.norm(got, axis=1) * np.linalg.norm(expected, axis=1)
    encoder.cosine = min(encoder.cosine, float(np.mean(np.sum(got * expected, axis=1) / norms)))
    return times[0]


def table(encoders: list[Encoder]) -> list[str]:
    """In Markdown: the median of each cell, and its ratio to ours of the same kind."""
    columns = list(dict.fromkeys(cell for each in encoders for cell in each.times))
    lines = [
        f"| ms (ratio to ours) | {' | '.join(columns)} | cosine |",
        f"|---|{'--:|' * len(columns)}--:|",
    ]
    for each in sorted(encoders, key=lambda encoder: encoder.kind):
        if each.failure:
            lines.append(failed_row(each, len(columns) + 1))
            continue
        best = {cell: ours(encoders, each.kind, cell) for cell in columns}
        texts = [entry(each.times[cell], best[cell], mine=each.peer == OURS) for cell in columns]
        wrong = " (wrong)" if each.cosine < _WRONG else ""
        lines.append(f"| {each.name}{wrong} | {' | '.join(texts)} | {each.cosine:.4f} |")
    return lines


def floor_lines(shape: Shape, floors: dict[str, float], encoders: list[Encoder]) -> list[str]:
    """What the matrix products alone would take at the machine's best rate, and what ours take."""
    lines = []
    for kind, rate in floors.items():
        for cell, rows in cells(quick=False).items():
            best = ours(encoders, kind, cell)
            if best and len(rows) == 1:
                least = shape.flops(np.array([len(row) for row in rows])) / rate / 1e6
                lines.append(
                    f"- {kind} products at {rate:.0f} GOP/s, {cell}: {least:.3g} ms; ours: {best / least:.2f} x"
                )
    return lines


if __name__ == "__main__":
    main()

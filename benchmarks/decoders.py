"""How fast do decoders generate, from token ids to token ids: our bundles beside the other ways there are?

    python benchmarks/decoders.py [--quick] [--peers NAME ...] [--shapes NAME ...] [--threads 1 2] [--prepare]

GPT-2's shape (124M) and Llama's of the same sizes, weights at random, the same in every peer: each reads one Hugging
Face folder. One prompt at a time, 128 tokens, another in every run, so that nobody remembers it: the time to the first
token, and the tokens a second of the 128 after it, the likeliest each time. Each variant of a peer runs in a process of
its own, which tells its peak memory; environments are made on the first run under ~/.cache/kerasllm/benchmarks (or
$KERASLLM_BENCHMARKS; 15 GB), where what each makes of the checkpoint is kept too. Ours is exported anew in every run.
All take turns, round after round, so what the machine does besides hits all alike. Every peer's first tokens are
compared with numpy's. Writes benchmarks/results/decoders.md (not with --quick, or with a part of the peers).
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

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
from peers.decoder_checkpoint import DECODER_SHAPES, END, DecoderShape, greedy, write_decoder_checkpoint
from peers.environment import CACHE
from peers.floors import gemm_rates, read_rate
from peers.protocol import Peer

RESULTS = HERE / "results" / "decoders.md"
# In the order in which they are prepared: onnxruntime reads what optimum exports.
PEERS = {
    OURS: Entrant("kerasllm_decoder.py", [], {"fp32": 32, "int8": 8, "int4": 4}),
    "keras": Entrant("keras_decoder.py", [], {"fp32": 32}),
    "pytorch": Entrant("pytorch_decoder.py", TORCH, {"fp32": 32, "int8": 8}),
    "optimum": Entrant("optimum_decoder.py", OPTIMUM, {"fp32": 32, "int8": 8}),
    "onnxruntime": Entrant("onnxruntime_decoder.py", [], {"fp32": 32, "int8": 8}),
    "onnxruntime-genai": Entrant(
        "onnxruntime_genai_decoder.py",
        ["onnxruntime-genai==0.18.0", "onnxruntime==1.31.1", "torch==2.13.0", "transformers==5.23.0", "onnx-ir"],
        {"fp32": 32, "int4": 4},
    ),
    "ctranslate2": Entrant("ctranslate2_decoder.py", ["ctranslate2==4.8.5", *TORCH], {"fp32": 32, "int8": 8}),
    "llama.cpp": Entrant(
        "llama_cpp_decoder.py",
        ["llama-cpp-python==0.3.36", "gguf==0.19.0", "safetensors==0.8.0"],
        {"F32": 32, "F16": 16, "Q8_0": 8, "Q4_0": 4},
    ),
    "openvino": Entrant(
        "openvino_decoder.py",
        ["openvino-genai==2026.4.1", "nncf==3.4.0", "optimum-intel==2.0.0", *TORCH],
        {"fp32": 32, "int8": 8, "int4": 4},
    ),
}
PROMPT = 128  # tokens
GENERATED = 128  # tokens after the first
_PREFILLS = 3  # of a round, beside one that is dropped; the round counts their median
_CHECKS, _CHECKED = 2, 8  # prompts, and their first tokens, that are compared with the reference
_LARGE = 1_000_000_000  # bytes: more than any cache holds
_READING = 0.3  # seconds for memory's rate, in every round
_FIRST, _NEXT = "first token, ms", "tokens / s"


@dataclass
class Decoder(Contender):
    """One variant of one peer."""

    right: int = 0
    """Of its first tokens, those before the first that is not the reference's, over the prompts."""
    peak: int = 0
    """Bytes of memory, at most."""
    file: int = 0
    """Bytes of its weights as they are stored."""
    reads: list[tuple[float, ...]] = field(default_factory=list)
    """Of ours: bytes a nanosecond in each round, of a large array, and of one of the file's size (cached in part)."""

    @property
    def kind(self) -> str:
        """Its bits."""
        return str(PEERS[self.peer].variants[self.variant])


def main() -> None:
    """Measures, prints, writes."""
    options = _options()
    began, absent, lines = time.perf_counter(), {}, []
    entrants = {name: PEERS[name] for name in PEERS if name in {OURS, *options.peers}}
    pythons = environments(entrants, absent)
    for name in options.shapes:
        checkpoint = CACHE / "models" / name / "checkpoint"
        write_decoder_checkpoint(checkpoint, DECODER_SHAPES[name])
        if options.prepare:  # ours is exported when it is measured
            convert(checkpoint, entrants, {peer: pythons[peer] for peer in pythons if peer != OURS}, absent)
            continue
        ready = convert(checkpoint, entrants, pythons, absent)
        progress(f"{name}: the reference")
        checks = list(zip(range(_CHECKS), prompts(seed=1), strict=False))
        expected = {
            index: greedy(checkpoint, DECODER_SHAPES[name], prompt, min(_CHECKED, options.generated + 1))
            for index, prompt in checks
        }
        for threads in options.threads:
            progress(f"{name}, {threads} thread(s): the floor, then loading")
            rates = gemm_rates(threads)
            with opened(checkpoint, entrants, pythons, ready, threads, Decoder) as pairs:
                for decoder, peer in pairs:
                    check(decoder, peer, [prompt for _, prompt in checks], list(expected.values()), options.generated)
                measure(pairs, threads, options.rounds, options.generated)
            decoders = [decoder for decoder, _ in pairs]
            section = [*table(decoders, sum(map(len, expected.values()))), ""]
            section += floor_lines(DECODER_SHAPES[name], rates, decoders)
            lines += [heading(name, threads), "", *section, ""]
            print("\n".join(section), flush=True)
    progress(f"done in {(time.perf_counter() - began) / 60:.0f} minutes")
    if lines and not options.quick and len(entrants) == len(PEERS):
        about = (
            f"One prompt of {PROMPT} tokens at a time, then {GENERATED} tokens more. Medians [quartiles] of rounds in "
            "which all take turns; in brackets, how many times as long it takes as our bundle of as many bits. Memory: "
            "the most that the process had, of the variant alone. Right: how many of its first tokens were those of "
            "numpy in float32, up to the first that was not."
        )
        write_results(RESULTS, "Decoders: from a prompt to what follows", about, entrants, absent, lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS, help="beside our own; default: all")
    parser.add_argument("--shapes", nargs="+", default=list(DECODER_SHAPES), choices=DECODER_SHAPES)
    parser.add_argument("--threads", nargs="+", default=[1, 2], type=int)
    parser.add_argument("--rounds", default=5, type=int, help="turns of each variant")
    parser.add_argument("--quick", action="store_true", help="one round of few tokens: does everything run?")
    parser.add_argument("--prepare", action="store_true", help="install and convert only")
    options = parser.parse_args()
    options.generated = 15 if options.quick else GENERATED
    if options.quick:
        options.rounds = 1
    return options


def prompts(seed: int) -> Iterator[list[int]]:
    """Token ids, never the same again."""
    draw = np.random.default_rng(seed)
    while True:
        yield draw.integers(0, END, PROMPT).tolist()


def check(decoder: Decoder, peer: Peer, given: list[list[int]], expected: list[list[int]], generated: int) -> None:
    """Warms up, and counts the first tokens that are the reference's."""
    if decoder.failure:
        return
    answer = ask(decoder, peer, prompts=given, tokens=1 + generated)
    for tokens, right in zip(answer.get("tokens", []), expected, strict=False):
        equal = np.equal(tokens[: len(right)], right)
        decoder.right += len(right) if equal.all() else int(equal.argmin())


def measure(pairs: list[tuple[Decoder, Peer]], threads: int, rounds: int, generated: int) -> None:
    """The rounds: the time to the first token, then that of each token after it."""
    fresh = prompts(seed=2)
    before = -1
    for index, decoder, peer in turns(pairs, seconds=0, least=rounds):
        if index != before:
            progress(f"round {index + 1} of {rounds}")
            before = index
        short = ask(decoder, peer, prompts=[next(fresh) for _ in range(1 + _PREFILLS)], tokens=1)
        whole = {} if decoder.failure else ask(decoder, peer, prompts=[next(fresh)], tokens=1 + generated)
        if decoder.failure:
            continue
        first = statistics.median(short["ms"][1:])  # the first of several finds the caches full of others' weights
        decoder.times.setdefault(_FIRST, []).append(first)
        decoder.times.setdefault(_NEXT, []).append((whole["ms"][0] - first) / generated)
        decoder.peak, decoder.file = whole["peak"], whole["file"]
        if decoder.peer == OURS:
            decoder.reads.append(tuple(read_rate(size, threads, _READING) for size in (_LARGE, decoder.file)))


def table(decoders: list[Decoder], checked: int) -> list[str]:
    """In Markdown: medians, and their ratios to ours of as many bits."""
    lines = [
        f"| (ratio of times to ours) | {_FIRST} | {_NEXT} | file, MB | memory, MB | right, of {checked} |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for each in sorted(decoders, key=lambda decoder: -int(decoder.kind)):
        if each.failure:
            lines.append(failed_row(each, 6))
            continue
        best = {column: ours(decoders, each.kind, column) for column in (_FIRST, _NEXT)}
        first = entry(each.times[_FIRST], best[_FIRST], mine=each.peer == OURS)
        following = entry(each.times[_NEXT], best[_NEXT], mine=each.peer == OURS, show=_per_second)
        wrong = " (wrong)" if each.kind == "32" and each.right < checked else ""
        sizes = f"{each.file / 1e6:.0f} | {each.peak / 1e6:.0f}"
        lines.append(f"| {each.name}{wrong} | {first} | {following} | {sizes} | {each.right} |")
    return lines


def _per_second(milliseconds: float) -> float:
    return 1e3 / milliseconds


def floor_lines(shape: DecoderShape, rates: dict[str, float], decoders: list[Decoder]) -> list[str]:
    """What memory and the matrix products alone would take, at the machine's best rates, and what ours take."""
    lines = []
    for each in decoders:
        if each.failure or not each.reads:
            continue
        memory, cached = (statistics.median(rates) for rates in zip(*each.reads, strict=True))
        most, got = 1e9 * memory / each.file, _per_second(statistics.median(each.times[_NEXT]))
        kind = "fp32" if each.kind == "32" else "int8"
        least, took = shape.prefill_flops(PROMPT) / rates[kind] / 1e6, statistics.median(each.times[_FIRST])
        lines.append(
            f"- {each.name}: {each.file / 1e6:.0f} MB read at {memory:.3g} GB/s allow {most:.3g} tokens / s; ours: "
            f"{got / most:.0%} of that ({got / most * memory / cached:.0%} of {cached:.3g} GB/s, at which an array of "
            f"this size is read again and again). The prompt's products at {rates[kind]:.0f} GOP/s ({kind}) take "
            f"{least:.3g} ms; ours: {took / least:.2f} x."
        )
    return lines


if __name__ == "__main__":
    main()

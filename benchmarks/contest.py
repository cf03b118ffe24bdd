"""What the benchmarks of speed share: peers, each in a process and an environment of its own, who take turns."""

import contextlib
import datetime
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from peers.environment import CACHE, python_of
from peers.protocol import Peer

from kerasllm.serving.cpu import read_cpu

HERE = Path(__file__).resolve().parent
OURS = "kerasllm"
TORCH = ["torch==2.13.0", "transformers==4.57.6"]
OPTIMUM = ["optimum-onnx==0.1.0", "onnxruntime==1.31.1", *TORCH, "sympy"]
_PAUSE = 0.25  # seconds before another process's turn: idle threads of some libraries spin for 0.2


@dataclass(frozen=True)
class Entrant:
    """A peer that takes part."""

    script: str
    """Its file in peers/."""
    requirements: list[str] = field(default_factory=list)
    """What its environment holds; none: it runs in our own."""
    variants: Mapping[str, int] = field(default_factory=dict)
    """Name and bits of each variant that has a process of its own; none: one process opens all that there are."""


@dataclass
class Contender:
    """One variant of one peer."""

    peer: str
    variant: str
    failure: str = ""
    times: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds of each round, by the name of the column."""

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.peer} {self.variant}"

    @property
    def kind(self) -> str:
        """What makes it comparable with one of ours."""
        raise NotImplementedError


AnyContender = TypeVar("AnyContender", bound=Contender)


def progress(message: str) -> None:
    """A line on the screen, with the time of day."""
    print(f"[{datetime.datetime.now():%H:%M:%S}] {message}", flush=True)


def environments(entrants: Mapping[str, Entrant], absent: dict[str, str]) -> dict[str, Path]:
    """The interpreter of each entrant; who cannot be installed goes to `absent`, with the reason."""
    pythons = {}
    for name, entrant in entrants.items():
        progress(f"environment of {name}")
        try:
            pythons[name] = python_of(name, entrant.requirements)
        except RuntimeError as error:
            absent[name] = f"cannot be installed: {error}"
            progress(absent[name])
    return pythons


def convert(
    checkpoint: Path, entrants: Mapping[str, Entrant], pythons: Mapping[str, Path], absent: dict[str, str]
) -> dict[str, Path]:
    """The folder of what each entrant makes of a checkpoint; who cannot goes to `absent`, with the reason."""
    ready, shape = {}, checkpoint.parent.name
    for name, python in pythons.items():
        progress(f"{shape}: {name} converts the checkpoint")
        try:
            ready[name] = _converted(checkpoint, name, python, entrants[name].script)
        except RuntimeError as error:
            reason = str(error).replace(f"{CACHE}/models/", "")  # of this machine alone
            absent[f"{name} ({shape})"] = f"cannot convert the checkpoint: {reason}"
            progress(absent[f"{name} ({shape})"])
    return ready


def _converted(checkpoint: Path, name: str, python: Path, script: str) -> Path:
    """What an entrant made is kept for the next run, but for our own."""
    folder = checkpoint.parent / name
    if name == OURS or not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        peer = Peer(python, HERE / "peers" / script, threads=2, log=CACHE / "logs" / f"{name}.prepare.log")
        peer.send(action="prepare", checkpoint=str(checkpoint), prepared=str(folder))
        try:
            peer.receive()
        finally:
            peer.close()
        (folder / "ready").touch()
    return folder


@contextlib.contextmanager
def opened(
    checkpoint: Path,
    entrants: Mapping[str, Entrant],
    pythons: Mapping[str, Path],
    ready: Mapping[str, Path],
    threads: int,
    make: Callable[[str, str, str], AnyContender],
) -> Iterator[list[tuple[AnyContender, Peer]]]:
    """All contenders, loaded, each with the process that answers for it; they end with the block.

    Args:
        checkpoint: What all of them load, or what was converted.
        entrants: Who takes part.
        pythons: Their interpreters.
        ready: What they made of the checkpoint, by name; nobody else is started.
        threads: Threads of each process.
        make: Makes a contender of a peer's name, a variant's, and why it cannot take part, if so.
    """
    pairs: list[tuple[AnyContender, Peer]] = []
    with contextlib.ExitStack() as stack:
        for name, folder in ready.items():
            for variant in entrants[name].variants or [""]:
                log = CACHE / "logs" / f"{name}{variant and '.' + variant}.{checkpoint.parent.name}.{threads}.log"
                peer = Peer(pythons[name], HERE / "peers" / entrants[name].script, threads, log)
                stack.callback(peer.close)
                peer.send(
                    action="load", checkpoint=str(checkpoint), prepared=str(folder), threads=threads,
                    variants=[variant] if variant else [],
                )  # fmt: skip
                try:
                    answer = peer.receive()
                except RuntimeError as error:
                    answer = {"variants": [], "failed": {variant: f"cannot be loaded: {error}"}}
                pairs += [(make(name, each, ""), peer) for each in answer["variants"]]
                pairs += [(make(name, each, reason), peer) for each, reason in answer["failed"].items()]
        yield pairs


def ask(contender: Contender, peer: Peer, **request: object) -> dict[str, list]:
    """A contender's answer; nothing where it failed, which it then has for good."""
    try:
        peer.send(variant=contender.variant, **request)
        answer = peer.receive()
    except RuntimeError as error:
        answer = {"error": str(error)}
    contender.failure = answer.pop("error", "")
    return answer


def turns(
    pairs: list[tuple[AnyContender, Peer]], seconds: float, least: int
) -> Iterator[tuple[int, AnyContender, Peer]]:
    """Whose turn it is, with the number of the round, until the time is over and there were enough rounds."""
    until, rounds, before = time.perf_counter() + seconds, 0, None
    while rounds < least or time.perf_counter() < until:
        for contender, peer in pairs[:: 1 if rounds % 2 else -1]:  # nobody always runs after the same one
            if contender.failure:
                continue
            if peer is not before:
                time.sleep(_PAUSE)
            before = peer
            yield rounds, contender, peer
        rounds += 1


def ours(contenders: Iterable[Contender], kind: str, column: str) -> float | None:
    """Our best median of a column, of a kind."""
    mine = [each for each in contenders if each.peer == OURS and each.kind == kind and each.times.get(column)]
    return min((statistics.median(each.times[column]) for each in mine), default=None)


def entry(times: list[float], best: float | None, *, mine: bool, show: Callable[[float], float] = float) -> str:
    """Median, quartiles where there are enough rounds, and the ratio of times to ours.

    Args:
        times: Milliseconds of each round.
        best: Ours, of the same kind.
        mine: Whether it is ours.
        show: Makes the number that is shown of milliseconds.
    """
    if not times:
        return ""
    median = statistics.median(times)
    spread = ""
    if len(times) > 3:
        low, _, high = sorted(show(time) for time in statistics.quantiles(times, n=4))
        spread = f" [{low:.3g}, {high:.3g}]"
    return f"{show(median):.3g}{spread}" + (f" ({median / best:.2f})" if best and not mine else "")


def heading(shape: str, threads: int) -> str:
    """Of a table."""
    return f"## {shape}, {threads} thread{'s' if threads > 1 else ''}"


def failed_row(contender: Contender, columns: int) -> str:
    """Of a table: why there are no figures."""
    return f"| {contender.name} | {contender.failure.replace('|', ' ')} |{' |' * (columns - 1)}"


def write_results(
    file: Path, title: str, explanation: str, entrants: Mapping[str, Entrant], absent: Mapping[str, str],
    lines: list[str],
) -> None:  # fmt: skip
    """Writes the results file: what made it, on which machine, of which versions, and the tables."""
    cpu = read_cpu()
    head = [
        f"# {title}",
        "",
        f"Made by `python benchmarks/{Path(sys.argv[0]).name}`, {datetime.date.today()}.",
        "",
        f"CPU: {cpu.model}, {cpu.cores} cores, {'with' if cpu.exact_int8 else 'without'} VNNI. {explanation}",
        "",
    ]
    for name, entrant in entrants.items():
        if name not in absent:
            head.append(f"- {name}: {', '.join(entrant.requirements) or 'the versions of constraints.txt'}")
    head += [f"- {name}: {reason}" for name, reason in absent.items()]
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join([*head, "", *lines]).rstrip() + "\n", encoding="utf-8")

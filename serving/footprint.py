"""What a bundle costs on a small machine: time to the first answer, latency on one thread, memory, installed bytes.

Each figure comes from a process of its own that does nothing else: `python -m kerasllm.serving.footprint`.
"""

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import IO, Any, cast

_REPEATS = 5
_TOKENS = 20  # of the text that is asked, and of what a decoder writes
_SECONDS = 1.0  # of steady calls
# Asked of the process: its first line is the first answer.
_MODULE = "kerasllm.serving.footprint"


def measure_footprint(bundle: Path, variant: str, *, memory: int | None = None) -> dict[str, Any]:
    """Measures one variant, on one thread.

    Args:
        bundle: The bundle folder.
        variant: One of its variants.
        memory: Megabytes (10^6) of data that the process may have; None: no limit.

    Returns:
        "first_answer_s" from the start of the process to its first answer (median of several), "latency_ms" of the
        calls after it, "peak_mb" of resident memory, and "loaded": package to the bytes of its files that were read.

    Raises:
        RuntimeError: The process does not live to its first answer; with a limit, it may be that.
    """
    runs = [_run(bundle, variant, memory) for _ in range(_REPEATS)]
    first = statistics.median(seconds for seconds, _ in runs)
    about = [told for _, told in runs]
    return {
        "first_answer_s": first,
        "latency_ms": {name: statistics.median(each["latency_ms"][name] for each in about) for name in ("p50", "p95")},
        "peak_mb": max(each["peak_mb"] for each in about),
        "loaded": about[-1]["loaded"],
    }


def _run(bundle: Path, variant: str, memory: int | None) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    command = [sys.executable, "-m", _MODULE, str(bundle), variant, str(memory or 0)]
    with subprocess.Popen(  # noqa: S603 - this Python, this module, a folder and a number
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        first_line = cast(IO[str], process.stdout).readline()
        seconds = time.perf_counter() - began
        rest, errors = process.communicate()
    if not first_line or process.returncode:
        last = errors.strip().splitlines()[-1:] or [f"it ended with {process.returncode}"]
        limit = f" within {memory} MB" if memory else ""
        raise RuntimeError(f"{variant} gives no answer{limit}: {last[0]}")
    return seconds, json.loads(rest)


def installed(requirements: Sequence[str], *, compiled: bool = True) -> dict[str, int]:
    """Bytes of packages and of all that they need, optional parts left out.

    Args:
        requirements: As in a package's metadata.
        compiled: Whether Python's compiled copies count, which `pip install --no-compile` leaves out.

    Returns:
        Package to bytes; those that another system needs are left out.
    """
    sizes: dict[str, int] = {}
    names = list(requirements)
    while names:
        found = re.match(r"[\w.-]+", names.pop())
        name = re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
        if not name or name in sizes:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        paths = [Path(str(file.locate())) for file in package.files or []]
        kept = [path for path in paths if path.is_file() and (compiled or path.suffix != ".pyc")]
        sizes[name] = sum(path.stat().st_size for path in kept)
        names += [need for need in package.requires or [] if "extra ==" not in need]
    return sizes


def serving_requirements() -> list[str]:
    """What `pip install 'kerasllm[serving]'` asks for."""
    needs = metadata.requires("kerasllm") or []
    return [need for need in needs if "extra ==" not in need or re.search(r"extra == ['\"]serving['\"]", need)]


def _loaded() -> dict[str, int]:
    """Package to the bytes of its files that this process has read: modules, and libraries in its memory."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    maps = Path("/proc/self/maps")
    if maps.exists():
        files |= {line.split(maxsplit=5)[5].strip() for line in maps.read_text().splitlines() if ".so" in line}
    sizes: dict[str, int] = {}
    for file in files - {None}:
        name = _package(str(file))
        if name and Path(str(file)).is_file():
            sizes[name] = sizes.get(name, 0) + Path(str(file)).stat().st_size
    return sizes


def _package(file: str) -> str | None:
    """The folder of site-packages that a file lies in, without the suffix of a package's libraries."""
    parts = Path(file).parts
    if "site-packages" not in parts:
        return "kerasllm" if Path(file).is_relative_to(Path(__file__).parents[1]) else None
    return parts[parts.index("site-packages") + 1].removesuffix(".libs")


def _limit(memory: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (memory * 10**6, memory * 10**6))


def _peak() -> float:
    """The most resident memory so far, in MB.

    getrusage counts what the process was forked from, too; the kernel's own mark does not.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    lines: Mapping[str, str] = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) * 1024 / 1e6


def _main(bundle: str, variant: str, memory: str) -> None:
    """Answers once, says so, answers on, and tells what it took."""
    if int(memory):
        _limit(int(memory))
    from . import load

    served = load(bundle, variant=variant, threads=1)
    ask = _question(served)
    ask()
    print("answered", flush=True)
    loaded, peak = _loaded(), _peak()  # before what only measures is imported

    from .measurement import measure_latency

    latency = measure_latency(ask, seconds=_SECONDS)
    print(json.dumps({"latency_ms": latency, "peak_mb": max(peak, _peak()), "loaded": loaded}))


def _question(served: Any) -> Callable[[], object]:
    """One question of the task's form; of decoders, what follows a few words."""
    from .measurement import as_input, sample_texts

    (text,) = sample_texts(served.tokenizer, tokens=_TOKENS, count=1)
    if hasattr(served, "generate"):
        return lambda: served.generate(text, max_new_tokens=_TOKENS)
    asked = as_input(served, text)
    return lambda: served(asked)


if __name__ == "__main__":
    _main(*sys.argv[1:])

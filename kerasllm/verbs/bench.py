"""`kerasllm bench`: measure a BUNDLE on this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from ..console import console, print_json, print_table
from ..inputs import read_inputs


def bench(
    bundle: Path,
    *,
    variants: str | None = None,
    tokens: int = 50,
    file: Path | None = None,
    threads: str | None = None,
    batch_sizes: str = "1,8,32",
    seconds: float = 1.0,
    profile: Literal["speed", "edge"] = "speed",
    memory: int | None = None,
    json: bool = False,
) -> None:
    """Measure a BUNDLE's latency and throughput on this machine.

    Tokenizing is part of both. Latency is that of one input; throughput is measured on 64 inputs, so many a call.
    The profile edge says what a BUNDLE asks of a small machine. It measures each variant on one thread in processes of
    its own: from their start to the first answer, the latency after it, the most memory; and which bytes of the
    installation are needed.

    For example:

    kerasllm bench bundles/reviews

    kerasllm bench bundles/reader --variants int8 --tokens 128 --threads 1,2 --json

    kerasllm bench bundles/reviews --profile edge --memory 100

    Args:
        bundle: The bundle folder.
        variants: Variants to measure, separated by commas (default: all).
        tokens: Length of the made-up texts, in tokens; of each of a pair, or of a context.
        file: Measure on the lines of this UTF-8 file instead, or on the strings and objects of a .jsonl file.
        threads: Numbers of threads to try, separated by commas (default: 1 and every core).
        batch_sizes: Numbers of inputs of a call to try, separated by commas.
        seconds: Time to spend on each figure.
        profile: speed, or edge: start-up, memory and installed bytes, for which only --variants and --memory count.
        memory: Megabytes of data that a process may have (--profile edge; default: no limit).
        json: Print the result as JSON.
    """
    from ..serving import load
    from ..serving.bundle import open_bundle
    from ..serving.cpu import read_cpu
    from ..serving.measurement import measure

    names = variants.split(",") if variants else list(open_bundle(bundle).manifest.variants)
    if profile == "edge":
        _edge(bundle, names, memory, json)
        return
    cpu = read_cpu()
    counts = _numbers("threads", threads) if threads else sorted({1, cpu.cores})
    sizes = _numbers("batch_sizes", batch_sizes)
    if tokens < 1 or seconds <= 0:
        raise ValueError(f"--tokens and --seconds must be positive. Received: {tokens} and {seconds}.")
    rows: list[dict[str, Any]] = []
    with console.status("measuring"):
        for name in names:
            for count in counts:
                served = load(bundle, variant=name, threads=count)
                measured = measure(served, _inputs(served, tokens, file), batch_sizes=sizes, seconds=seconds)
                rows.append({"variant": name, "threads": count, **measured})
    result = {"bundle": str(bundle), "cpu": asdict(cpu), "rows": rows}
    if json:
        print_json(result)
    else:
        _print(result, sizes)


def _edge(bundle: Path, names: list[str], memory: int | None, json: bool) -> None:
    from ..serving.footprint import installed, measure_footprint, serving_requirements

    if memory is not None and memory < 1:
        raise ValueError(f"--memory must be at least 1 MB. Received: {memory}.")
    with console.status("measuring"):
        measured = {name: measure_footprint(bundle, name, memory=memory) for name in names}
        sizes = installed(serving_requirements())
    if json:
        print_json({"bundle": str(bundle), "memory_mb": memory, "variants": measured, "installed": sizes})
        return
    rows = [
        [name, f"{each['first_answer_s']:.2f}", f"{each['latency_ms']['p50']:.2f}", f"{each['peak_mb']:.0f}"]
        for name, each in measured.items()
    ]
    print_table(f"{bundle} on one thread", ["variant", "first answer, s", "p50, ms", "peak memory, MB"], rows)
    loaded = next(iter(measured.values()))["loaded"]
    table = [
        [name, f"{size / 1e6:.1f}", f"{loaded.get(name.replace('-', '_'), 0) / 1e6:.1f}"]
        for name, size in sorted(sizes.items(), key=lambda item: -item[1])
    ]
    total = [sum(sizes.values()), sum(loaded.values())]
    table.append(["all", *(f"{size / 1e6:.1f}" for size in total)])
    print_table("installed by the serving extra", ["package", "MB", "of which read, MB"], table)


def _inputs(served: Any, tokens: int, file: Path | None) -> list[Any]:
    from ..serving.measurement import as_input, sample_inputs

    if file is None:
        return sample_inputs(served, tokens=tokens, count=64)
    inputs = read_inputs((), file, pair=getattr(served, "pair", False))
    return [as_input(served, entry) if isinstance(entry, str) else entry for entry in map(_plain, inputs)]


def _plain(entry: Any) -> Any:
    """The text of an object that has no more to ask."""
    return entry["text"] if isinstance(entry, dict) and "text" in entry and "text_pair" not in entry else entry


def _numbers(name: str, text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise ValueError(f"--{name.replace('_', '-')} must be whole numbers from 1, by commas. Received: {text!r}.")
    return numbers


def _print(result: dict[str, Any], sizes: list[int]) -> None:
    columns = ["variant", "threads", "p50 ms", "p95 ms", "p99 ms", *(f"texts/s, batch {size}" for size in sizes)]
    rows = [
        [
            row["variant"],
            row["threads"],
            *(f"{row['latency_ms'][name]:.3f}" for name in ("p50", "p95", "p99")),
            *(f"{row['texts_per_second'][size]:,.0f}" for size in sizes),
        ]
        for row in result["rows"]
    ]
    print_table(f"{result['bundle']} on {result['cpu']['model']}, {result['cpu']['cores']} cores", columns, rows)

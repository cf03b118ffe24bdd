"""`kerasllm bench`: measure a BUNDLE on this machine."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

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
    json: bool = False,
) -> None:
    """Measure a BUNDLE's latency and throughput on this machine.

    Tokenizing is part of both. Latency is that of one input; throughput is measured on 64 inputs, so many a call.

    For example:

    kerasllm bench bundles/reviews

    kerasllm bench bundles/reader --variants int8 --tokens 128 --threads 1,2 --json

    Args:
        bundle: The bundle folder.
        variants: Variants to measure, separated by commas (default: all).
        tokens: Length of the made-up texts, in tokens; of each of a pair, or of a context.
        file: Measure on the lines of this UTF-8 file instead, or on the strings and objects of a .jsonl file.
        threads: Numbers of threads to try, separated by commas (default: 1 and every core).
        batch_sizes: Numbers of inputs of a call to try, separated by commas.
        seconds: Time to spend on each figure.
        json: Print the result as JSON.
    """
    from ..serving import load
    from ..serving.bundle import open_bundle
    from ..serving.cpu import read_cpu
    from ..serving.measurement import measure

    cpu = read_cpu()
    counts = _numbers("threads", threads) if threads else sorted({1, cpu.cores})
    sizes = _numbers("batch_sizes", batch_sizes)
    if tokens < 1 or seconds <= 0:
        raise ValueError(f"--tokens and --seconds must be positive. Received: {tokens} and {seconds}.")
    names = variants.split(",") if variants else list(open_bundle(bundle).manifest.variants)
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

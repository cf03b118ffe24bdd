"""`kerasllm quickstart`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..console import print_json, print_table
from ..quickstart import QuickstartConfig, run_quickstart


def quickstart(
    *,
    out: Path = Path("runs/quickstart"),
    config: Annotated[QuickstartConfig, Parameter(name="*")] = QuickstartConfig(),  # noqa: B008 (frozen)
    json: bool = False,
) -> None:
    """Train, export, verify and measure a small classifier in a few minutes.

    Writes a RUN and a BUNDLE on made-up reviews and shows what each step cost. Example: kerasllm quickstart

    Args:
        out: Where the RUN and the BUNDLE go; an earlier quickstart there is replaced.
        json: Print the result as JSON.
    """
    result = run_quickstart(config, out)
    if json:
        return print_json(result)
    print_table(
        "Test split, one text, one thread",
        ["model", "accuracy", "size", "p50 latency"],
        (
            (row["model"], f"{row['accuracy']:.2%}", f"{row['bytes'] / 1e6:.2f} MB", f"{row['p50_ms']:.2f} ms")
            for row in result["rows"]
        ),
    )
    print_table(
        "Three sentences",
        ["text", "label", "score"],
        ((answer["text"], answer["label"], f"{answer['score']:.3f}") for answer in result["predictions"]),
    )
    print(f"Curves: {result['curves']}\nBundle: {result['bundle']}")
    return None

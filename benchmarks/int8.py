"""What does int8 cost? Accuracy, agreement and size of fp32 and int8 bundles of trained models.

    python benchmarks/int8.py [RUN ...]     (default: the runs of benchmarks/sst2.py)

Every RUN is exported, and both variants of its bundle are served, as a user would, on the validation and test splits of
the data that it was trained on. Writes benchmarks/results/int8.md.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from kerasllm.export import export_run
from kerasllm.run import open_run
from kerasllm.serving import load

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "int8.md"
COLUMNS = (
    "run", "texts", "fp32", "int8", "drop, points", "same answer", "mean difference", "largest",
    "MB fp32", "MB int8", "operators",
)  # fmt: skip
HEADER = f"""# What int8 costs

`python benchmarks/int8.py`. Accuracy in % on the validation and test texts together; difference: between the
probabilities of fp32 and int8. Operators that hold a weight: in int8, stored in it, or left in float32.

| {" | ".join(COLUMNS)} |
|---|{"---:|" * (len(COLUMNS) - 2)}---|
"""


def main() -> None:
    """Measures each RUN and writes the table anew after it."""
    runs = [Path(name) for name in sys.argv[1:]] or sorted((HERE / "work" / "sst2").glob("*/metrics.json"))
    lines = []
    for path in runs:
        lines.append(row(measure(path.parent if path.is_file() else path)))
        print(lines[-1], flush=True)
        RESULTS.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


def measure(path: Path) -> dict[str, Any]:
    """Exports one RUN and compares the variants of its bundle."""
    run = open_run(path)
    splits = [run.dataset().splits[name] for name in ("validation", "test")]
    texts = [text for split in splits for text in split.texts]
    labels = np.concatenate([split.labels for split in splits])
    with tempfile.TemporaryDirectory() as folder:
        manifest = export_run(path, Path(folder) / "bundle", max_drop=1.0)
        fp32, int8 = (
            load(Path(folder) / "bundle", variant=name, threads=1).probabilities(texts) for name in ("fp32", "int8")
        )
    return {
        "run": path.name,
        "texts": len(texts),
        "fp32": 100 * float(np.mean(fp32.argmax(1) == labels)),
        "int8": 100 * float(np.mean(int8.argmax(1) == labels)),
        "agreement": 100 * float(np.mean(fp32.argmax(1) == int8.argmax(1))),
        "difference": np.abs(fp32 - int8),
        "variants": manifest["variants"],
    }


def row(measured: dict[str, Any]) -> str:
    """A row of the table."""
    sizes = [measured["variants"][name]["bytes"] / 1e6 for name in ("fp32", "int8")]
    kinds = measured["variants"]["int8"]["coverage"]["kinds"]
    levels = (("computed", ""), ("stored", " stored"), ("kept", " float"))
    operators = [f"{each[level]} {kind}{note}" for kind, each in kinds.items() for level, note in levels if each[level]]
    cells = [
        measured["run"],
        f"{measured['texts']:,}",
        f"{measured['fp32']:.2f}",
        f"{measured['int8']:.2f}",
        f"{measured['fp32'] - measured['int8']:+.2f}",
        f"{measured['agreement']:.2f} %",
        f"{measured['difference'].mean():.5f}",
        f"{measured['difference'].max():.4f}",
        *(f"{size:.2f}" for size in sizes),
        ", ".join(operators),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()

"""How fast are the batches, and how much of them is padding?

    python benchmarks/data.py [SOURCE ...] [--json]    (default: builtin:reviews, and sst2 where KERASLLM_DATA has it)

"pool 50" is what training uses: pools of 50 batches, sorted by length; "of 8" pads to multiples of 8. "boundaries" is
the other usual way, measured as a plain numpy plan: each batch from one of the length ranges 1-8, 9-16, 17-32, ...
"Padding" is the share of positions without a token; "widths" counts the different sequence lengths of an epoch, each
one a compilation where XLA is on.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np

from kerasllm.console import print_json, print_table
from kerasllm.data import BatchConfig, DataConfig, TokenSplit, batches, load_dataset, steps, token_cache
from kerasllm.data.batches import training_order
from kerasllm.tokenizing.tokenizer import TokenizerConfig, train_tokenizer

PLANS = {
    "any order": BatchConfig(bucket=False),
    "pool 10": BatchConfig(pool=10),
    "pool 50": BatchConfig(),
    "pool 50, of 8": BatchConfig(multiple=8),
}


def measure(source: str) -> list[dict]:
    """A row a plan, for the training split of a source."""
    dataset = load_dataset(DataConfig(source=source))
    tokenizer = train_tokenizer(dataset.splits["train"].texts, TokenizerConfig())
    split = token_cache(dataset, tokenizer, 256)["train"]
    rows = []
    for name, config in PLANS.items():
        plan = training_order(split, config, 0, 0)
        rows.append(
            row(source, name, split, plan, config.multiple or 1) | {"examples_per_second": speed(split, config)}
        )
    plan = bounded(split, BatchConfig().batch_size)
    return [*rows, row(source, "boundaries", split, plan, 1) | {"examples_per_second": None}]


def row(source: str, name: str, split: TokenSplit, plan: list[np.ndarray], multiple: int) -> dict:
    """Padding of a plan, and how much of a batch's spread in length is left to chance."""
    widths = [-(-split.lengths[rows].max() // multiple) * multiple for rows in plan]
    positions = sum(width * len(rows) for width, rows in zip(widths, plan, strict=True))
    return {
        "source": source,
        "plan": name,
        "padding": 1 - split.offsets[-1] / positions,
        "widths": len(set(widths)),
        "smallest_batch": min(len(rows) for rows in plan),
    }


def bounded(split: TokenSplit, size: int) -> list[np.ndarray]:
    """Batches of texts whose lengths lie between the same two powers of two."""
    shuffled = np.random.default_rng(0).permutation(len(split))
    ranges = np.ceil(np.log2(np.maximum(split.lengths[shuffled], 8)))
    groups = [shuffled[ranges == bound] for bound in np.unique(ranges)]
    return [group[start : start + size] for group in groups for start in range(0, len(group), size)]


def speed(split: TokenSplit, config: BatchConfig) -> float:
    """Examples a second over at least two epochs and a second, after a first batch."""
    count, seen, passes = steps(split, config), 0, 0
    iterator = iter(batches(split, config, training=True))
    next(iterator)
    start = time.perf_counter()
    while passes < 2 or time.perf_counter() - start < 1:
        seen += sum(len(next(iterator)[1]) for _ in range(count))
        passes += 1
    return seen / (time.perf_counter() - start)


def default_sources() -> list[str]:
    folder = Path(os.environ.get("KERASLLM_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "sst2"
    return ["builtin:reviews", *([str(folder)] if folder.is_dir() else [])]


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--json"]
    rows = [row for source in arguments or default_sources() for row in measure(source)]
    if "--json" in sys.argv:
        print_json(rows)
        return
    cells = [
        (
            Path(row["source"]).name,
            row["plan"],
            f"{100 * row['padding']:.1f} %",
            row["widths"],
            row["smallest_batch"],
            f"{row['examples_per_second']:,.0f}" if row["examples_per_second"] else "",
        )
        for row in rows
    ]
    columns = ["source", "plan", "padding", "widths", "smallest batch", "examples/s"]
    print_table(f"Batches of {BatchConfig().batch_size}", columns, cells)


if __name__ == "__main__":
    main()

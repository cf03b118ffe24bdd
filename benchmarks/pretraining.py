"""What does pretraining buy? A mini encoder reads Wikipedia, then learns SST-2, beside one that has read nothing.

    python benchmarks/pretraining.py [--limit N]    (the data: wikitext and sst2 in KERASLLM_DATA, or in ../shared/data)

The two differ in their first weights alone: architecture, WordPieces, seeds, steps and settings are the same. Small
training sets are drawn by the seed; accuracy is on all 1,821 sentences of the test, of the epoch with the best
validation accuracy. `--limit` takes so many documents and so many examples at most, for a quick try (and writes no
results). The runs lie in benchmarks/work/pretraining and are resumed if this is started again.
"""

import gzip
import math
import os
import sys
import time
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from kerasllm.data.batches import BatchConfig
from kerasllm.data.masking import MaskingConfig
from kerasllm.data.running_text import RunningTextConfig
from kerasllm.data.sources import DataConfig
from kerasllm.models.encoder import EncoderConfig
from kerasllm.run import Run
from kerasllm.tasks.classification import ClassificationHead
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.finetuning import finetune
from kerasllm.training.history import read_history
from kerasllm.training.pretraining import RowConfig, pretrain
from kerasllm.training.settings import TrainingConfig
from kerasllm.training.tuning import TuningConfig

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("KERASLLM_DATA", HERE.parents[1] / "shared" / "data"))
RESULTS = HERE / "results" / "pretraining.md"
TEXTS = ("wiki_articles_train.txt.gz", "wikitext103_head_train.txt.gz")
ENCODER = "mini"
LENGTH = 64
MASKED = 0.3  # of the tokens: a row teaches twice as much as with BERT's 15 % (Wettig et al. 2023)
# Norms that stand after the sums make 1e-3 a gamble: two tries of five never got past the frequencies of the tokens.
PRETRAINING = TrainingConfig(epochs=6, patience=0, learning_rate=5e-4, schedule="cosine", warmup=0.1)
FINETUNING: dict[str, Any] = {"patience": 0, "learning_rate": 3e-4, "schedule": "cosine", "warmup": 0.1}
TRIALS = (  # training examples, seeds, epochs, batch size
    (500, (0, 1, 2), 10, 16),
    (5_000, (0, 1), 4, 32),
    (None, (0,), 1, 64),
)
HEAD = """# What pretraining buys

`python benchmarks/pretraining.py`. A mini encoder (BERT's layers: 4 of width 256, 8,000 WordPieces, {parameters:,}
parameters with the head) reads {rows:,} rows of {length} tokens of Wikipedia articles in batches of 16, {masked:.0%} of
the tokens masked anew each epoch. Held-out: {held:,} masked tokens of other articles.

| epoch | training loss | held-out loss | perplexity | masked accuracy | tokens/s |
|---:|---:|---:|---:|---:|---:|
{epochs}
SST-2, test accuracy of the epoch with the best validation accuracy: the same encoder, WordPieces, seeds, steps and
settings, from fresh weights and from the pretrained ones. Of several seeds the mean, and the lowest and highest. One
standard error is about 0.9 points on the 1,821 sentences.

| training phrases | seeds | epochs | batch | from scratch | pretrained | points won |
|---:|---:|---:|---:|---:|---:|---:|
{trials}"""


def main() -> None:
    """Pretrains, fine-tunes both, and writes the tables."""
    limit = int(sys.argv[sys.argv.index("--limit") + 1]) if "--limit" in sys.argv else None
    work = HERE / "work" / ("pretraining" if limit is None else "pretraining-try")
    start = time.perf_counter()
    base = pretrain(
        RunningTextConfig(texts=tuple(DATA / "wikitext" / name for name in TEXTS), documents="article", limit=limit),
        TokenizerConfig(kind="wordpiece", vocab_size=8_000, max_length=LENGTH),
        EncoderConfig(encoder=ENCODER),
        MaskingConfig(masked_share=MASKED),
        RowConfig(batch_size=16),
        PRETRAINING,
        work / "base",
        resume=True,
    )
    pretraining_seconds = time.perf_counter() - start
    rows = [_trial(base, limit, work, *trial) for trial in TRIALS]
    report = _report(base, rows)
    print(report)
    print(f"pretraining {pretraining_seconds:.0f} s, all {time.perf_counter() - start:.0f} s")
    if limit is None:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(report)


def _trial(
    base: Run, limit: int | None, work: Path, examples: int | None, seeds: tuple[int, ...], epochs: int, batch: int
) -> dict[str, Any]:
    """Test accuracies of both starts, a number a seed."""
    scores: dict[str, list[float]] = {"scratch": [], "pretrained": []}
    size = min(limit, examples or limit) if limit else examples
    for seed, (start, found) in product(seeds, scores.items()):
        run = finetune(
            DataConfig(source=str(_sst2(size, seed, work / "data"))),
            EncoderConfig(encoder=ENCODER if start == "scratch" else str(base.path)),
            TokenizerConfig(file=base.path / "tokenizer.json", max_length=LENGTH),
            ClassificationHead(),
            BatchConfig(batch_size=batch),
            TrainingConfig(epochs=epochs, seed=seed, **FINETUNING),
            TuningConfig(),
            work / f"{start}-{examples or 'all'}-{seed}",
            resume=True,
        )
        found.append(run.metrics["test"]["accuracy"])
    return {
        "examples": f"{examples:,}" if examples else "all",
        "seeds": len(seeds),
        "epochs": epochs,
        "batch": batch,
        **scores,
    }


def _sst2(size: int | None, seed: int, folder: Path) -> Path:
    """A folder of SST-2 with so many training phrases, drawn by the seed; all of them if None."""
    given = DATA / "sst2"
    if size is None:
        return given
    target = folder / f"{size}-{seed}"
    target.mkdir(parents=True, exist_ok=True)
    for name in ("validation.jsonl.gz", "test.jsonl.gz"):
        (target / name).write_bytes((given / name).read_bytes())
    lines = gzip.decompress((given / "train.jsonl.gz").read_bytes()).splitlines(keepends=True)
    drawn = np.sort(np.random.default_rng(seed).permutation(len(lines))[:size])
    (target / "train.jsonl").write_bytes(b"".join(lines[row] for row in drawn))
    return target


def _report(base: Run, trials: list[dict[str, Any]]) -> str:
    """Both tables."""
    history, scores = read_history(base.path / "history.csv"), base.metrics
    epochs = "".join(
        f"| {row['epoch']:.0f} | {row['train_loss']:.3f} | {row['validation_loss']:.3f} "
        f"| {math.exp(row['validation_loss']):.1f} | {row['validation_masked_accuracy']:.1%} "
        f"| {row['tokens_per_second']:,.0f} |\n"
        for row in history
    )
    rows = "".join(
        f"| {trial['examples']} | {trial['seeds']} | {trial['epochs']} | {trial['batch']} "
        f"| {_spread(trial['scratch'])} | {_spread(trial['pretrained'])} "
        f"| {100 * (mean(trial['pretrained']) - mean(trial['scratch'])):+.1f} |\n"
        for trial in trials
    )
    return HEAD.format(
        rows=base.config["examples"]["train"],
        length=LENGTH,
        masked=MASKED,
        parameters=scores["parameters"],
        held=scores["validation"]["masked_tokens"],
        epochs=epochs,
        trials=rows,
    )


def _spread(scores: list[float]) -> str:
    return f"{mean(scores):.1%}" + (f" ({min(scores):.1%} to {max(scores):.1%})" if len(scores) > 1 else "")


if __name__ == "__main__":
    main()

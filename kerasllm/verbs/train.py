"""`kerasllm train`: fit a text classifier on labelled texts."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..console import print_table
from ..data.batches import BatchConfig
from ..data.sources import DataConfig
from ..models.classifier import ClassifierConfig
from ..run import Run
from ..tokenizing.tokenizer import TokenizerConfig
from ..training.classifier_training import train as train_run
from ..training.settings import TrainingConfig


@dataclass(frozen=True)
class Labelled(DataConfig):
    """Labelled texts, named by the first argument."""

    source: str
    """builtin:reviews, tfds:NAME/CONFIG, or a file or folder: csv, tsv, jsonl, parquet, txt (each also .gz)."""


def train(
    data: Annotated[Labelled, Parameter(name="*", group="Data")],
    *,
    out: Path,
    resume: bool = False,
    overwrite: bool = False,
    tokenizer: Annotated[TokenizerConfig, Parameter(group="Tokenizer")] = TokenizerConfig(),  # noqa: B008 (frozen)
    model: Annotated[ClassifierConfig, Parameter(name="*", group="Model")] = ClassifierConfig(),  # noqa: B008 (frozen)
    batches: Annotated[BatchConfig, Parameter(name="*", group="Batches")] = BatchConfig(),  # noqa: B008 (frozen)
    training: Annotated[TrainingConfig, Parameter(name="*", group="Training")] = TrainingConfig(),  # noqa: B008 (frozen)
) -> None:
    """Fit a text classifier on labelled texts; writes a RUN folder.

    For instance:

        kerasllm train builtin:reviews --out runs/reviews

        kerasllm train reviews.csv --out runs/reviews --encoder bilstm --pooling max --tokenizer.kind bpe

        kerasllm train reviews.csv --out runs/reviews --encoder bilstm --pooling max --tokenizer.kind bpe --resume

    Args:
        out: The RUN folder to make.
        resume: Go on with the run in --out after it was interrupted; give the same settings again.
        overwrite: Replace what is in --out.
    """
    training = replace(training, seed=data.seed)  # one --seed for all that is drawn by chance
    run = train_run(data, tokenizer, model, batches, training, out, resume=resume, overwrite=overwrite)
    print_scores(run)


def print_scores(run: Run) -> None:
    """Shows how good the best epoch of a classifier is."""
    metrics = run.metrics
    rows = [
        (split, *(f"{value:.2%}" for value in (score["accuracy"], score["macro"]["f1"], score["calibration_error"])))
        for split, score in metrics.items()
        if isinstance(score, dict)
    ]
    title = f"{run.path}: best of {metrics['epochs']} epochs is epoch {metrics['best_epoch']}"
    print_table(title, ("split", "accuracy", "macro F1", "calibration error"), rows)

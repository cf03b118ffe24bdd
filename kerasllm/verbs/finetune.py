"""`kerasllm finetune`: fit an encoder for a task."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ..console import print_table
from ..data.batches import BatchConfig
from ..models.encoder import EncoderConfig
from ..run import Run
from ..tasks.answering import AnsweringHead
from ..tasks.classification import ClassificationHead
from ..tasks.embedding import EmbeddingHead
from ..tasks.tagging import TaggingHead
from ..tokenizing.tokenizer import TokenizerConfig
from ..training.finetuning import FinetuningConfig, Head
from ..training.finetuning import finetune as finetune_run
from ..training.tuning import TuningConfig
from .train import Labelled, print_scores


@dataclass(frozen=True, kw_only=True)
class Length(TokenizerConfig):
    """How texts become token ids; but for `max_length`, of an encoder from scratch alone."""

    max_length: int = 128
    """Tokens kept of an example; the rest is cut off at the end, or read in windows."""


_HEADS = {
    "text-classification": ClassificationHead,
    "token-classification": TaggingHead,
    "question-answering": AnsweringHead,
    "feature-extraction": EmbeddingHead,
}
TaskName = Literal["text-classification", "token-classification", "question-answering", "feature-extraction"]


def finetune(
    data: Annotated[Labelled, Parameter(name="*", group="Data")],
    *,
    out: Path,
    task: TaskName = "text-classification",
    resume: bool = False,
    overwrite: bool = False,
    encoder: Annotated[EncoderConfig, Parameter(name="*", group="Encoder")] = EncoderConfig(),  # noqa: B008 (frozen)
    tuning: Annotated[TuningConfig, Parameter(name="*", group="Fine-tuning")] = TuningConfig(),  # noqa: B008 (frozen)
    classification: Annotated[ClassificationHead | None, Parameter(group="Head of text-classification")] = None,
    tagging: Annotated[TaggingHead | None, Parameter(group="Head of token-classification")] = None,
    answering: Annotated[AnsweringHead | None, Parameter(group="Head of question-answering")] = None,
    embedding: Annotated[EmbeddingHead | None, Parameter(group="Head of feature-extraction")] = None,
    tokenizer: Annotated[Length, Parameter(group="Tokenizer")] = Length(),
    batches: Annotated[BatchConfig, Parameter(name="*", group="Batches")] = BatchConfig(),  # noqa: B008 (frozen)
    training: Annotated[FinetuningConfig, Parameter(name="*", group="Training")] = FinetuningConfig(),  # noqa: B008 (frozen)
) -> None:
    """Fit an encoder for a task, or a --decoder for dialogues; writes a RUN folder.

    For instance:

        kerasllm finetune reviews.csv --encoder all-MiniLM-L6-v2/ --out runs/reviews --layer-decay 0.85

        kerasllm finetune pairs.jsonl --encoder runs/pretrained --out runs/pairs --text-column a --pair-column b

        kerasllm finetune wnut17/ --task token-classification --encoder all-MiniLM-L6-v2/ --out runs/entities

        kerasllm finetune squad/ --task question-answering --encoder all-MiniLM-L6-v2/ --out runs/reader

        kerasllm finetune stsb/ --task feature-extraction --encoder all-MiniLM-L6-v2/ --out runs/vectors

    Args:
        out: The RUN folder to make.
        task: What the encoder is fitted for.
        resume: Go on with the run in --out after it was interrupted; give the same settings again.
        overwrite: Replace what is in --out.
    """
    head = _head(task, classification, tagging, answering, embedding)
    training = replace(training, seed=data.seed)  # one --seed for all that is drawn by chance
    run = finetune_run(
        data, encoder, tokenizer, head, batches, training, tuning, out, resume=resume, overwrite=overwrite
    )
    _print(run)


def _head(task: str, *given: Head | None) -> Head:
    """The head of the task; one of another task would be settings that nobody reads."""
    named = [head for head in given if head is not None]
    other = next((head for head in named if type(head) is not _HEADS[task]), None)
    if other is not None:
        belongs = next(name for name, kind in _HEADS.items() if kind is type(other))
        raise ValueError(f"Settings of a head must be those of --task {task}. Received: some of {belongs}.")
    return named[0] if named else _HEADS[task]()


def _print(run: Run) -> None:
    if run.config["task"] == "text-classification":
        print_scores(run)
        return
    metrics = run.metrics
    scores: dict[str, dict[str, Any]] = {name: report for name, report in metrics.items() if isinstance(report, dict)}
    names = [name for name, value in next(iter(scores.values())).items() if isinstance(value, int | float)]
    rows = [(split, *(f"{report[name]:.4g}" for name in names)) for split, report in scores.items()]
    title = f"{run.path}: best of {metrics['epochs']} epochs is epoch {metrics['best_epoch']}"
    print_table(title, ("split", *names), rows)

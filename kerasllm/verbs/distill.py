"""`kerasllm distill`: a small student learns what a larger teacher says."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ..data.batches import BatchConfig
from ..models.classifier import ClassifierConfig
from ..models.encoder import EncoderConfig
from ..tasks.distillation import DistillationConfig
from ..tokenizing.tokenizer import TokenizerConfig
from ..training.distillation import distill as distill_run
from ..training.settings import TrainingConfig
from .train import Labelled, print_scores


def distill(
    teacher: Path,
    data: Annotated[Labelled, Parameter(name="*", group="Data")],
    *,
    out: Path,
    resume: bool = False,
    overwrite: bool = False,
    distillation: Annotated[DistillationConfig, Parameter(name="*", group="Distillation")] = DistillationConfig(),  # noqa: B008 (frozen)
    model: Annotated[ClassifierConfig, Parameter(name="*", group="Student")] = ClassifierConfig(),  # noqa: B008 (frozen)
    student: Annotated[EncoderConfig | None, Parameter(group="Encoder as student")] = None,
    tokenizer: Annotated[TokenizerConfig, Parameter(group="Tokenizer")] = TokenizerConfig(),  # noqa: B008 (frozen)
    batches: Annotated[BatchConfig, Parameter(name="*", group="Batches")] = BatchConfig(),  # noqa: B008 (frozen)
    training: Annotated[TrainingConfig, Parameter(name="*", group="Training")] = TrainingConfig(),  # noqa: B008 (frozen)
) -> None:
    """Fit a small student on what a larger teacher says of labelled texts; writes a RUN folder.

    For instance:

        kerasllm distill runs/encoder reviews.csv --out runs/small --encoder bilstm --pooling max

        kerasllm distill bundles/encoder reviews.csv --out runs/small --unlabelled more.txt --temperature 4

        kerasllm distill runs/encoder reviews.csv --out runs/tiny --student.encoder tiny

    Args:
        teacher: A RUN or a BUNDLE of text classification, with the labels of the data.
        out: The RUN folder to make.
        resume: Go on with the run in --out after it was interrupted; give the same settings again.
        overwrite: Replace what is in --out.
        student: An encoder as the student, instead of the layers of a classifier.
    """
    training = replace(training, seed=data.seed)  # one --seed for all that is drawn by chance
    run = distill_run(
        teacher,
        data,
        student or model,
        tokenizer,
        batches,
        training,
        distillation,
        out,
        resume=resume,
        overwrite=overwrite,
    )
    print_scores(run)

"""Fine-tuning: an encoder, examples and a task to a RUN folder."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..data.batches import BatchConfig
from ..data.dataset import TextDataset
from ..data.pairs import PairDataset, load_pairs
from ..data.questions import QuestionDataset, load_questions
from ..data.sources import DataConfig, load_dataset
from ..data.tagged import TaggedDataset, load_tagged
from ..models.encoder import Encoder, EncoderConfig
from ..run import Run
from ..tasks.answering import AnsweringHead, AnsweringTask
from ..tasks.classification import ClassificationHead, ClassificationTask, encoder_classifier
from ..tasks.embedding import EmbeddingHead, EmbeddingTask
from ..tasks.tagging import TaggingHead, TaggingTask
from ..tasks.task import Task
from ..tokenizing.bert_tokenizer import make_pieces
from ..tokenizing.tokenizer import TokenizerConfig
from .fitting import fit_task
from .settings import TrainingConfig
from .starting import check_out, start_encoder
from .tuning import TuningConfig

Head = ClassificationHead | TaggingHead | AnsweringHead | EmbeddingHead


@dataclass(frozen=True, kw_only=True)
class FinetuningConfig(TrainingConfig):
    """How an encoder is fitted: few passes, and small steps that fade out, so that it keeps what it knew."""

    epochs: int = 3
    """Most passes over the training data."""
    learning_rate: float = 1e-4
    """The highest learning rate."""
    schedule: Literal["constant", "cosine", "piecewise"] = "cosine"
    """How the learning rate changes: not at all, up and then down to zero over all epochs, or in drops."""


def finetune(
    data: DataConfig,
    encoder: EncoderConfig,
    tokenizer: TokenizerConfig,
    head: Head,
    batches: BatchConfig,
    training: TrainingConfig,
    tuning: TuningConfig,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Fine-tunes an encoder for the task that the head belongs to.

    Args:
        data: The examples.
        encoder: The encoder to start from.
        tokenizer: `max_length`, the tokens kept of an example; the rest only for an encoder from scratch, whose
            WordPieces are trained on the training texts.
        head: What the task puts on top of the encoder.
        batches: How examples are put together.
        training: How the model is fitted.
        tuning: Which weights are trained, and how.
        out: The RUN folder to make.
        resume: Go on with the run that is in `out`, which must have been started with the same settings.
        overwrite: Replace what is in `out`.

    Returns:
        The finished run.

    Raises:
        FileExistsError: `out` holds something, and neither `resume` nor `overwrite` is on.
        FileNotFoundError: There is no such data or encoder.
        ValueError: A setting makes no sense, data or encoder cannot be used, or the run to resume had other settings.
        TrainingError: The loss is no number any more; the epochs before are kept.
    """
    check_out(out, resume=resume, overwrite=overwrite)
    kind = _KINDS[type(head)]
    dataset = kind.read(data)
    opened = start_encoder(
        encoder, out, lambda: make_pieces(kind.texts(dataset), tokenizer), resume=resume, seed=training.seed
    )
    opened.check_length(tokenizer.max_length)
    task = kind.task(dataset, opened, head, batches, tokenizer.max_length, training)
    if isinstance(task, AnsweringTask):
        head = task.head  # what it left to the data is decided
    sections = {"data": data, "tokenizer": tokenizer, "encoder": encoder, "head": head, "batches": batches}
    return fit_task(task, training, out, sections, tuning=tuning, resume=resume, overwrite=overwrite)


class _Kind(NamedTuple):
    """How the examples of a task are read, which texts they hold, and how it is made of them."""

    read: Callable[[DataConfig], Any]
    texts: Callable[[Any], Iterable[str]]
    task: Callable[[Any, Encoder, Any, BatchConfig, int, TrainingConfig], Task]


def _classification(
    dataset: TextDataset,
    encoder: Encoder,
    head: ClassificationHead,
    batches: BatchConfig,
    max_length: int,
    training: TrainingConfig,
) -> Task:
    return ClassificationTask(
        dataset,
        encoder.tokenizer,
        lambda: encoder_classifier(encoder, head, len(dataset.labels)),
        batches,
        max_length=max_length,
        segments=encoder.segments,
        label_smoothing=training.label_smoothing,
        balance_classes=training.balance_classes,
        hide=head.hide,
        agreement=head.agreement,
        seed=training.seed,
    )


def _tagging(
    dataset: TaggedDataset,
    encoder: Encoder,
    head: TaggingHead,
    batches: BatchConfig,
    max_length: int,
    training: TrainingConfig,
) -> Task:
    _refuse(training, "balance_classes")
    smoothing = training.label_smoothing
    return TaggingTask(
        dataset, encoder, head, batches, max_length=max_length, label_smoothing=smoothing, seed=training.seed
    )


def _answering(
    dataset: QuestionDataset,
    encoder: Encoder,
    head: AnsweringHead,
    batches: BatchConfig,
    max_length: int,
    training: TrainingConfig,
) -> Task:
    _refuse(training, "balance_classes", "label_smoothing")
    return AnsweringTask(dataset, encoder, head, batches, max_length=max_length, seed=training.seed)


def _refuse(training: TrainingConfig, *names: str) -> None:
    """A setting that the task does not read would change nothing, silently."""
    given = next((name for name in names if getattr(training, name)), None)
    if given is not None:
        raise ValueError(f"`{given}` is not for this task. Received: {getattr(training, given)}. Leave it out.")


def _embedding(
    dataset: PairDataset,
    encoder: Encoder,
    head: EmbeddingHead,
    batches: BatchConfig,
    max_length: int,
    training: TrainingConfig,
) -> Task:
    return EmbeddingTask(dataset, encoder, head, batches, max_length=max_length, seed=training.seed)


def _texts(dataset: TextDataset) -> list[str]:
    train = dataset.splits["train"]
    return [*train.texts, *(train.pairs or ())]


def _tagged_texts(dataset: TaggedDataset) -> list[str]:
    return dataset.splits["train"].texts


def _question_texts(dataset: QuestionDataset) -> list[str]:
    train = dataset.splits["train"]
    return [*train.questions, *dict.fromkeys(train.contexts)]


def _pair_texts(dataset: PairDataset) -> list[str]:
    train = dataset.splits["train"]
    return [*train.firsts, *train.seconds]


_KINDS: dict[type, _Kind] = {
    ClassificationHead: _Kind(load_dataset, _texts, _classification),
    TaggingHead: _Kind(load_tagged, _tagged_texts, _tagging),
    AnsweringHead: _Kind(load_questions, _question_texts, _answering),
    EmbeddingHead: _Kind(load_pairs, _pair_texts, _embedding),
}

"""Fine-tuning: an encoder, labelled examples and a task to a RUN folder."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from tokenizers import Tokenizer

from .bert_tokenizer import train_bert_tokenizer
from .data.batches import BatchConfig
from .data.sources import DataConfig, load_dataset
from .encoder import PRESETS, Encoder, EncoderConfig, open_encoder
from .extras import require
from .run import Run
from .tasks.classification import ClassificationHead, ClassificationTask, encoder_classifier
from .tasks.task import Task
from .tokenizer import TokenizerConfig, load_tokenizer
from .training import TrainingConfig, check_out, fit_task, tokenizer_for
from .tuning import TuningConfig

TaskName = Literal["text-classification"]
Head = ClassificationHead


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
    """Fine-tunes an encoder for a task; which one follows from the head.

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
    require("train", "keras").utils.set_random_seed(training.seed)  # draws the weights of an encoder from scratch
    dataset = load_dataset(data)
    opened = _open(encoder, tokenizer, dataset.splits["train"].texts, out, resume=resume)
    opened.check_length(tokenizer.max_length)
    task: Task = ClassificationTask(
        dataset,
        opened.tokenizer,
        lambda: encoder_classifier(opened, head, len(dataset.labels)),
        batches,
        max_length=tokenizer.max_length,
        segments=opened.segments,
        label_smoothing=training.label_smoothing,
        balance_classes=training.balance_classes,
        seed=training.seed,
    )
    sections = {"data": data, "tokenizer": tokenizer, "encoder": encoder, "head": head, "batches": batches}
    return fit_task(task, training, out, sections, tuning=tuning, resume=resume, overwrite=overwrite)


def _open(
    config: EncoderConfig, tokenizer: TokenizerConfig, texts: Iterable[str], out: Path, *, resume: bool
) -> Encoder:
    """The encoder; one from scratch with WordPieces of the texts."""
    if config.encoder not in PRESETS:
        return open_encoder(config)

    def make() -> Tokenizer:
        return load_tokenizer(tokenizer.file) if tokenizer.file else train_bert_tokenizer(texts, tokenizer)

    return open_encoder(config, tokenizer_for(out, make, resume=resume))

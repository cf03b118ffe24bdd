"""Training from scratch: labelled texts to the RUN folder of a classifier."""

from pathlib import Path

from ..console import say
from ..data.batches import BatchConfig
from ..data.sources import DataConfig, load_dataset
from ..models.classifier import ClassifierConfig, build_classifier
from ..models.vectors import initial_vectors
from ..run import Run
from ..tasks.classification import ClassificationTask
from ..tokenizing.tokenizer import TokenizerConfig, make_tokenizer, vocab_size
from .fitting import fit_task
from .settings import TrainingConfig
from .starting import check_out, start_tokenizer


def train(
    data: DataConfig,
    tokenizer: TokenizerConfig,
    model: ClassifierConfig,
    batches: BatchConfig,
    training: TrainingConfig,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Trains a text classifier from scratch.

    Args:
        data: The labelled texts.
        tokenizer: How they become tokens.
        model: The classifier's layers.
        batches: How examples are put together.
        training: How the classifier is fitted.
        out: The RUN folder to make.
        resume: Go on with the run that is in `out`, which must have been started with the same settings; starts a
            new one if there is none, and leaves a finished one as it is.
        overwrite: Replace what is in `out`.

    Returns:
        The finished run.

    Raises:
        FileExistsError: `out` holds something, and neither `resume` nor `overwrite` is on.
        ValueError: A setting makes no sense, the data cannot be used, or the run to resume had other settings.
        TrainingError: The loss is no number any more; the epochs before are kept.
    """
    check_out(out, resume=resume, overwrite=overwrite)
    dataset = load_dataset(data)
    found = start_tokenizer(out, lambda: make_tokenizer(dataset.splits["train"].texts, tokenizer), resume=resume)
    table = None
    if model.vectors:
        table, share = initial_vectors(model.vectors, found, model.embedding_dim, training.seed)
        say(f"{share:.1%} of the vocabulary is in {model.vectors}.")
    size, classes = vocab_size(found), len(dataset.labels)
    task = ClassificationTask(
        dataset,
        found,
        lambda: build_classifier(model, vocab_size=size, classes=classes, vectors=table),
        batches,
        max_length=tokenizer.max_length,
        label_smoothing=training.label_smoothing,
        balance_classes=training.balance_classes,
        seed=training.seed,
    )
    sections = {"data": data, "tokenizer": tokenizer, "model": model, "batches": batches}
    return fit_task(task, training, out, sections, resume=resume, overwrite=overwrite)

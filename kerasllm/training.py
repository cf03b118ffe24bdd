"""Training: labelled texts to a RUN folder, an epoch at a time.

After every epoch the best model so far, a checkpoint, the history and the curves are on disk, each of them whole. A run
that was killed at any moment goes on from its last whole epoch and ends, on the same machine, with the very same
weights and scores: batches are a pure function of (seed, epoch), and a checkpoint holds all the rest of the state.
"""

import json
import platform
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import __version__
from .atomic import new_folder, replace_file
from .checkpoints import Checkpoint, latest_checkpoint, save_checkpoint
from .classifier import ClassifierConfig, build_classifier
from .console import console
from .data.batches import BatchConfig, balanced_weights, batches, steps
from .data.dataset import TextDataset
from .data.sources import DataConfig, load_dataset
from .data.tokens import TokenSplit, token_cache
from .extras import require
from .history import Row, best_epoch, log_row, read_history, score_column, show_row, write_history
from .metrics import activate, classification_metrics, headline
from .plots import save_curves
from .run import RUN_FORMAT, Run, check_format, predict_logits, to_settings
from .tokenizer import TokenizerConfig, make_tokenizer, save_tokenizer, vocab_size
from .vectors import initial_vectors

if TYPE_CHECKING:
    from .fitting import Trainer

_SECTIONS = ("data", "tokenizer", "model", "batches", "training", "fingerprint")
# What a kill may leave of the files that are written beside their place.
_HALF_WRITTEN = (".model.keras.*", ".history.csv.*", ".curves.png.*", ".metrics.json.*", "checkpoints/.epoch-*.npz.*")


class TrainingError(RuntimeError):
    """A training that cannot go on; what it had reached is in its RUN folder."""


def not_finite(loss: float, epoch: int, where: str) -> str:
    """What to say when loss or weights are no numbers any more, in an epoch counted from 0."""
    return (
        f"Loss and weights must stay finite. Received: a loss of {loss} in epoch {epoch + 1}, {where}. "
        "Try a lower learning rate, a smaller clip_norm, or no mixed precision; the epochs before are kept."
    )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the classifier is fitted."""

    epochs: int = 10
    """Most passes over the training data."""
    patience: int = 3
    """Stop after so many epochs without a better validation score (0: never); the best epoch's weights are kept."""
    optimizer: Literal["adamw", "adam"] = "adamw"
    """What moves the weights."""
    learning_rate: float = 1e-3
    """The highest learning rate."""
    schedule: Literal["constant", "cosine", "piecewise"] = "constant"
    """How the learning rate changes: not at all, up and then down to zero over all epochs, or in drops."""
    warmup: float = 0.05
    """Share of the training that cosine takes to rise, 0 to 1."""
    drops: tuple[float, ...] = (0.5, 0.75)
    """Shares of the training after which piecewise divides the learning rate by ten, 0 to 1."""
    weight_decay: float = 0.01
    """Share of the weights that adamw takes away, times the learning rate, every step."""
    clip_norm: float | None = 1.0
    """Longest gradient, all weights together; longer ones are scaled down."""
    label_smoothing: float = 0.0
    """Share of certainty that goes from the true label to all of them, 0 to 1."""
    average: float = 0.0
    """Momentum of a running average of the weights, which is then what is scored and saved, for instance 0.995."""
    balance_classes: bool = False
    """Weigh the examples so that every class counts the same, however rare it is."""
    mixed_precision: bool = False
    """Compute in half precision where the device is made for it (GPUs); elsewhere it changes nothing."""
    deterministic: bool = True
    """The same seed gives the same weights (off: a little faster on some devices)."""
    tensorboard: bool = False
    """Write the history for TensorBoard too."""
    seed: int = 0
    """For initial weights, dropout and the order of examples."""

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("patience", 0), ("weight_decay", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}. Received: {getattr(self, name)}.")
        for name in ("warmup", "label_smoothing", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be from 0 to below 1. Received: {getattr(self, name)}.")
        for name in ("learning_rate", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"`{name}` must be above 0. Received: {value}.")
        if list(self.drops) != sorted(set(self.drops)) or not all(0 < drop < 1 for drop in self.drops):
            raise ValueError(f"`drops` must be shares between 0 and 1 that rise. Received: {self.drops}.")


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
    """Trains a text classifier.

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
    require("train", "tensorflow")
    out = Path(out)
    if not (resume or overwrite) and out.is_dir() and any(out.iterdir()):
        raise FileExistsError(
            f"A new run needs a new or empty folder. Received: {out}. Name another one, or go on with --resume, "
            "or replace it with --overwrite."
        )
    dataset = load_dataset(data)
    for note in dataset.notes:
        _say(note)
    if training.balance_classes and dataset.multi_label:
        raise ValueError("`balance_classes` needs one class an example. Received: multi-label data. Leave it off.")
    sections = {"data": data, "tokenizer": tokenizer, "model": model, "batches": batches, "training": training}
    settings = _settings(dataset, {name: to_settings(config) for name, config in sections.items()})
    if resume and (out / "config.json").is_file():
        run = _continued(Run(out), settings)
    else:
        run = _started(out, settings, dataset, tokenizer, overwrite)
    if run.finished:
        _say(f"{run.path} is finished already: nothing to do.")
        return run
    tokens = token_cache(dataset, run.load_tokenizer(), tokenizer.max_length)
    _fit(run, tokens, model, batches, training)
    _finish(run, tokens)
    return run


def _settings(dataset: TextDataset, sections: dict[str, Any]) -> dict[str, Any]:
    """The content of config.json."""
    producer = {name: version(name) for name in ("keras", "tensorflow", "tokenizers", "numpy")}
    return {
        "format": RUN_FORMAT,
        "producer": {"kerasllm": __version__, "python": platform.python_version(), **producer},
        "task": "text-classification",
        "labels": list(dataset.labels),
        "multi_label": dataset.multi_label,
        **sections,
        "examples": {name: len(split) for name, split in dataset.splits.items()},
        "fingerprint": dataset.fingerprint,
    }


def _started(
    out: Path, settings: dict[str, Any], dataset: TextDataset, tokenizer: TokenizerConfig, overwrite: bool
) -> Run:
    """A new RUN folder with its configuration and its tokenizer: both are there, or no folder at all."""
    with new_folder(out, overwrite=overwrite) as folder:
        save_tokenizer(make_tokenizer(dataset.splits["train"].texts, tokenizer), folder / "tokenizer.json")
        (folder / "config.json").write_text(json.dumps(settings, ensure_ascii=False, indent=2), encoding="utf-8")
    return Run(out)


def _continued(run: Run, settings: dict[str, Any]) -> Run:
    """The run that is there, if it was started with these settings."""
    before = check_format(run).config
    for section in _SECTIONS:
        old, new = before.get(section), settings[section]
        if old == new:
            continue
        if section == "fingerprint":
            raise ValueError(
                f"A run can only go on with the same data. Received: {run.path}, whose data changed since."
            )
        name = next(name for name in new if (old or {}).get(name) != new[name])
        raise ValueError(
            f"A run can only go on with the settings that it was started with. Received: {section}.{name} = "
            f"{new[name]}, where {run.path} has {(old or {}).get(name)}. Name that value, or another --out."
        )
    for pattern in _HALF_WRITTEN:
        for path in run.path.glob(pattern):
            path.unlink()
    return run


def _fit(
    run: Run, tokens: dict[str, TokenSplit], model: ClassifierConfig, batch: BatchConfig, training: TrainingConfig
) -> None:
    """Fits epoch after epoch, from the last checkpoint if there is one, until the last or no better one comes."""
    from .fitting import Trainer

    table = None
    if model.vectors:
        table, share = initial_vectors(model.vectors, run.load_tokenizer(), model.embedding_dim, training.seed)
        _say(f"{share:.1%} of the vocabulary is in {model.vectors}.")
    size, classes = vocab_size(run.load_tokenizer()), len(run.labels)
    trainer = Trainer(
        lambda: build_classifier(model, vocab_size=size, classes=classes, vectors=table),
        training,
        steps=steps(tokens["train"], batch),
        multi_label=run.multi_label,
    )
    checkpoint = latest_checkpoint(run.path / "checkpoints")
    history: list[Row] = checkpoint.progress["history"] if checkpoint else []
    if checkpoint:
        trainer.restore(checkpoint.arrays)
        _say(f"Going on after epoch {checkpoint.epoch}.")
        _publish(run, history)  # the kill may have come between the checkpoint and these
    while not _is_over(history, training):
        history.append(_epoch(trainer, len(history), run, tokens, batch, training))
        if best_epoch(history) == len(history):
            trainer.save(run.path / "model.keras")
        progress = {"history": history}
        save_checkpoint(
            run.path / "checkpoints", Checkpoint(epoch=len(history), progress=progress, arrays=trainer.state())
        )
        _publish(run, history)
        if training.tensorboard:
            log_row(run.path / "tensorboard", history[-1])


def _publish(run: Run, history: list[Row]) -> None:
    write_history(run.path / "history.csv", history)
    save_curves(run.path / "curves.png", history, score_column(run.multi_label))


def _is_over(history: list[Row], training: TrainingConfig) -> bool:
    if not history:
        return False
    waited = len(history) - best_epoch(history)
    return len(history) >= training.epochs or 0 < training.patience <= waited


def _epoch(
    trainer: "Trainer",
    epoch: int,
    run: Run,
    tokens: dict[str, TokenSplit],
    batch: BatchConfig,
    training: TrainingConfig,
) -> Row:
    """Fits an epoch, counted from 0, and scores it on the validation split."""
    split, start = tokens["train"], time.perf_counter()
    weights = balanced_weights(split.labels, len(run.labels)).tolist() if training.balance_classes else None
    examples = batches(split, batch, training=True, seed=training.seed, epoch=epoch, class_weights=weights)
    loss = trainer.epoch(epoch, examples)
    seconds = time.perf_counter() - start
    scores = _scores(run, trainer.portable, tokens["validation"])
    row = {
        "epoch": epoch + 1,
        "train_loss": loss,
        "validation_loss": scores["loss"],
        score_column(run.multi_label): headline(scores, run.multi_label),
        "learning_rate": trainer.learning_rate(),
        "tokens_per_second": round(int(split.offsets[-1]) / seconds),
    }
    show_row(row)
    return row


def _scores(run: Run, model: Any, split: TokenSplit) -> dict[str, Any]:
    probabilities = activate(predict_logits(model, split), run.multi_label)
    return classification_metrics(split.labels, probabilities, run.labels, run.multi_label)


def _finish(run: Run, tokens: dict[str, TokenSplit]) -> None:
    """Scores the best epoch; metrics.json says that the run is finished."""
    model = run.load_model()
    history = read_history(run.path / "history.csv")
    metrics = {name: _scores(run, model, split) for name, split in tokens.items() if name != "train"}
    report = {"epochs": len(history), "best_epoch": best_epoch(history), "parameters": model.count_params(), **metrics}
    with replace_file(run.path / "metrics.json") as path:
        path.write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")


def _say(note: str) -> None:
    console.print(note, style="dim", markup=False, highlight=False, soft_wrap=True)

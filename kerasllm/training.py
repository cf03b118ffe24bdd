"""Training: a task to a RUN folder, an epoch at a time.

After every epoch the best model so far, a checkpoint, the history and the curves are on disk, each of them whole. A run
that was killed at any moment goes on from its last whole epoch and ends, on the same machine, with the very same
weights and scores: batches are a pure function of (seed, epoch), and a checkpoint holds all the rest of the state.
"""

import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import __version__
from .atomic import new_folder, replace_file
from .checkpoints import Checkpoint, latest_checkpoint, save_checkpoint
from .checks import check_least, check_shares
from .classifier import ClassifierConfig, build_classifier
from .console import console
from .data.batches import BatchConfig
from .data.sources import DataConfig, load_dataset
from .history import Row, best_epoch, log_row, read_history, score_column, show_row, write_history
from .plots import save_curves
from .run import RUN_FORMAT, Run, check_format, to_settings
from .starting import check_out, start_tokenizer
from .tasks.classification import ClassificationTask
from .tasks.task import Task
from .tokenizer import TokenizerConfig, make_tokenizer, save_tokenizer, vocab_size
from .tuning import TuningConfig
from .utilisation import peak_flops
from .vectors import initial_vectors

if TYPE_CHECKING:
    from .fitting import Trainer

# What config.json says of the machine and of the data, whose fingerprint is compared.
_FOUND = {"format", "producer", "labels", "multi_label", "examples"}
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
    """How a model is fitted."""

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
    accumulate: int = 1
    """Batches whose gradients are added up to one step: as good as a batch so many times as large, in less memory."""
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
        check_least(self, 0, "patience", "weight_decay")
        check_least(self, 1, "epochs", "accumulate")
        check_shares(self, "warmup", "label_smoothing", "average")
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


def fit_task(
    task: Task,
    training: TrainingConfig,
    out: Path,
    sections: Mapping[str, Any],
    *,
    tuning: TuningConfig | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Fits the model of any task.

    Args:
        task: Examples, model, loss and scores.
        training: How the model is fitted.
        out: The RUN folder to make.
        sections: The configuration dataclasses that the task was made of, by the name that config.json gives them;
            "tokenizer" must be among them and say `max_length`.
        tuning: Which weights of a pretrained encoder are trained, and how; None: all of them alike.
        resume: As for `train`.
        overwrite: As for `train`.

    Returns:
        The finished run.

    Raises:
        FileExistsError, ValueError, TrainingError: As for `train`.
    """
    check_out(out, resume=resume, overwrite=overwrite)
    out = Path(out)
    for note in task.notes:
        say(note)
    settings = _settings(task, {**sections, "training": training, **({"tuning": tuning} if tuning else {})})
    if resume and (out / "config.json").is_file():
        run = _continued(Run(out), settings)
    else:
        run = _started(out, settings, task, overwrite)
    if run.finished:
        say(f"{run.path} is finished already: nothing to do.")
        return run
    _fit(run, task, training, tuning or TuningConfig())
    _finish(run, task)
    return run


def _settings(task: Task, sections: Mapping[str, Any]) -> dict[str, Any]:
    """The content of config.json."""
    producer = {name: version(name) for name in ("keras", "tensorflow", "tokenizers", "numpy")}
    return {
        "format": RUN_FORMAT,
        "producer": {"kerasllm": __version__, "python": platform.python_version(), **producer},
        "task": task.name,
        "labels": list(task.labels),
        "multi_label": task.multi_label,
        **{name: to_settings(config) for name, config in sections.items()},
        "examples": dict(task.examples),
        "fingerprint": task.fingerprint,
    }


def _started(out: Path, settings: dict[str, Any], task: Task, overwrite: bool) -> Run:
    """A new RUN folder with its configuration and its tokenizer: both are there, or no folder at all."""
    with new_folder(out, overwrite=overwrite) as folder:
        save_tokenizer(task.tokenizer, folder / "tokenizer.json")
        (folder / "config.json").write_text(json.dumps(settings, ensure_ascii=False, indent=2), encoding="utf-8")
    return Run(out)


def _continued(run: Run, settings: dict[str, Any]) -> Run:
    """The run that is there, if it was started with these settings."""
    before = check_format(run).config
    for section in (name for name in settings if name not in _FOUND):
        old, new = before.get(section), settings[section]
        if old == new:
            continue
        if section == "fingerprint":
            raise ValueError(
                f"A run can only go on with the same data. Received: {run.path}, whose data changed since."
            )
        name, here, there = _first_difference(section, new, old)
        raise ValueError(
            f"A run can only go on with the settings that it was started with. Received: {name} = {here}, "
            f"where {run.path} has {there}. Name that value, or another --out."
        )
    for pattern in _HALF_WRITTEN:
        for path in run.path.glob(pattern):
            path.unlink()
    return run


def _first_difference(name: str, new: Any, old: Any) -> tuple[str, Any, Any]:
    """The dotted name of the first setting that differs, and both its values."""
    if not isinstance(new, dict):
        return name, new, old
    old = old or {}
    differs = next((key for key in new if old.get(key) != new[key]), None)
    return (
        (name, new, old) if differs is None else _first_difference(f"{name}.{differs}", new[differs], old.get(differs))
    )


def _fit(run: Run, task: Task, training: TrainingConfig, tuning: TuningConfig) -> None:
    """Fits epoch after epoch, from the last checkpoint if there is one, until the last or no better one comes."""
    from .fitting import Trainer

    trainer = Trainer(task, training, tuning)
    checkpoint = latest_checkpoint(run.path / "checkpoints")
    history: list[Row] = checkpoint.progress["history"] if checkpoint else []
    if checkpoint:
        trainer.restore(checkpoint.arrays)
        say(f"Going on after epoch {checkpoint.epoch}.")
        _publish(run, history)  # the kill may have come between the checkpoint and these
    while not _is_over(history, training):
        history.append(_epoch(trainer, len(history), task))
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
    save_curves(run.path / "curves.png", history, score_column(history[0]))


def _is_over(history: list[Row], training: TrainingConfig) -> bool:
    if not history:
        return False
    waited = len(history) - best_epoch(history)
    return len(history) >= training.epochs or 0 < training.patience <= waited


def _epoch(trainer: "Trainer", epoch: int, task: Task) -> Row:
    """Fits an epoch, counted from 0, and scores it on the validation split."""
    start = time.perf_counter()
    loss = trainer.epoch(epoch, task.batches(epoch))
    seconds = time.perf_counter() - start
    scores = task.report(trainer.portable, "validation")
    row: Row = {
        "epoch": epoch + 1,
        "train_loss": loss,
        "validation_loss": scores["loss"],
        f"validation_{task.score}": scores[task.score],
        "learning_rate": trainer.learning_rate(),
        "tokens_per_second": round(task.tokens() / seconds),
    }
    if (flops := task.token_flops()) is not None:
        row["flop_utilisation"] = flops * task.tokens() / seconds / peak_flops()
    show_row(row)
    for prompt, text in task.samples(trainer.portable):
        say(f"  {prompt!r}: {text!r}")
    return row


def _finish(run: Run, task: Task) -> None:
    """Scores the best epoch; metrics.json says that the run is finished."""
    model = run.load_model()
    history = read_history(run.path / "history.csv")
    metrics = {name: task.report(model, name) for name in task.examples if name != "train"}
    fitted = {"epochs": len(history), "best_epoch": best_epoch(history), "tokens_per_epoch": task.tokens()}
    report = {**fitted, "parameters": model.count_params(), **metrics}
    with replace_file(run.path / "metrics.json") as path:
        path.write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")


def say(note: str) -> None:
    """Tells the user something that is worth knowing, but no result."""
    console.print(note, style="dim", markup=False, highlight=False, soft_wrap=True)

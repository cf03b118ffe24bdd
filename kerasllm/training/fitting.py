"""Training: a task to a RUN folder, an epoch at a time.

After every epoch the best model so far, a checkpoint, the history and the curves are on disk, each of them whole. A run
that was killed at any moment goes on from its last whole epoch and ends, on the same machine, with the very same
weights and scores: batches are a pure function of (seed, epoch), and a checkpoint holds all the rest of the state.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..atomic import replace_file
from ..console import say
from ..plots import save_curves
from ..run import Run
from ..tasks.task import Task
from .checkpoints import Checkpoint, latest_checkpoint, save_checkpoint
from .history import Row, best_epoch, log_row, read_history, score_column, show_row, write_history
from .run_folder import continue_run, settings_of, start_run
from .settings import TrainingConfig
from .starting import check_out
from .tuning import TuningConfig
from .utilisation import utilisation

if TYPE_CHECKING:
    from .trainer import Trainer


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
    settings = settings_of(task, {**sections, "training": training, **({"tuning": tuning} if tuning else {})})
    if resume and (out / "config.json").is_file():
        run = continue_run(Run(out), settings)
    else:
        run = start_run(out, settings, task, overwrite)
    if run.finished:
        say(f"{run.path} is finished already: nothing to do.")
        return run
    _fit(run, task, training, tuning or TuningConfig())
    _finish(run, task)
    return run


def _fit(run: Run, task: Task, training: TrainingConfig, tuning: TuningConfig) -> None:
    """Fits epoch after epoch, from the last checkpoint if there is one, until the last or no better one comes."""
    from .precision import precision_note
    from .trainer import Trainer

    trainer = Trainer(task, training, tuning)
    if note := precision_note(mixed=training.mixed_precision, half=trainer.half):
        say(note)
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
        row["flop_utilisation"] = utilisation(
            flops * task.tokens() / seconds, trainer.half or "float32", trainer.replicas
        )
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

"""A model in training: Keras's `fit`, one epoch a call, on whatever devices are there.

Reached only from training.py, when TensorFlow is known to be installed.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..atomic import replace_file
from ..console import console
from ..models.lora import merged_weights
from ..tasks.task import Task
from .checkpoints import assign, values_of
from .errors import TrainingError, not_finite
from .optimizers import AdamW
from .schedules import learning_rate
from .settings import TrainingConfig
from .tuning import TuningConfig, learning_rate_factors, prepare


class Trainer:
    """A compiled model, and beside it the plain float32 one on one device that is scored and saved.

    Attributes:
        portable: The saved one, as it was after the last epoch.
    """

    def __init__(self, task: Task, config: TrainingConfig, tuning: TuningConfig):
        """Makes the models.

        Args:
            task: What they are for.
            config: How they are fitted.
            tuning: Which of their weights move, and how far.
        """
        keras.utils.set_random_seed(config.seed)
        # What XLA compiles for a CPU is deterministic by itself, and would not be compiled at all with this.
        compiled = task.fixed_shapes and not tf.config.list_physical_devices("GPU")
        if config.deterministic and keras.backend.backend() == "tensorflow" and not compiled:
            tf.config.experimental.enable_op_determinism()
        self._steps, self._config = task.steps(), config
        self.portable = task.build()
        with strategy().scope():
            with _precision(config.mixed_precision):
                model = task.build()
                prepare(model, tuning)
                self._model = task.training_model(model)
            factors = learning_rate_factors(model, tuning.layer_decay)
            optimizer = _optimizer(self._model.trainable_variables, factors, config, self._steps)
            # Where batches are of many lengths, XLA would compile each of them anew.
            self._model.compile(optimizer, task.loss(), jit_compile="auto" if task.fixed_shapes else False)
            self._model.optimizer.build(self._model.trainable_variables)

    def epoch(self, number: int, examples: tf.data.Dataset) -> float:
        """Fits an epoch and brings `portable` up to date.

        Args:
            number: The epoch, from 0.
            examples: Training batches, at least as many as an epoch has.

        Returns:
            The mean training loss.

        Raises:
            TrainingError: The loss or a weight is not finite any more.
        """
        raw = _Weights()
        with _progress() as bar:
            watch = _Watch(bar, number, self._config.epochs, self._steps)
            options: dict[str, Any] = {"initial_epoch": number, "epochs": number + 1, "steps_per_epoch": self._steps}
            history = self._model.fit(examples, callbacks=[watch, raw], shuffle=False, verbose=0, **options)
        weights, loss = merged_weights(self._model), float(history.history["loss"][-1])
        if not all(np.isfinite(weight).all() for weight in weights):  # broken after the last loss was taken
            raise TrainingError(not_finite(loss, number, "its last step"))
        self.portable.set_weights(weights)
        if self._config.average:  # at its end, `fit` has put the average in the place of the weights
            self._model.set_weights(raw.values)
        return loss

    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._model.optimizer.learning_rate)

    def state(self) -> list[np.ndarray]:
        """The values of the model's, its seed generators' and the optimizer's variables."""
        return values_of(self._variables())

    def restore(self, arrays: Sequence[np.ndarray]) -> None:
        """Goes back to a `state`."""
        assign(self._variables(), arrays)

    def save(self, path: Path) -> None:
        """Writes `portable` as a .keras file, without optimizer."""
        with replace_file(path) as temporary:
            self.portable.save(temporary)

    def _variables(self) -> list[Any]:
        return [*self._model.variables, *self._model.optimizer.variables]


def strategy() -> tf.distribute.Strategy:
    """Every GPU together, or, without one, every logical CPU; the default strategy where there is only one device."""
    if keras.backend.backend() != "tensorflow":  # others have their own ways to more devices
        return tf.distribute.get_strategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


class _Watch(keras.callbacks.Callback):
    """Moves the progress bar, and stops at the first loss that is no number."""

    def __init__(self, bar: Progress, epoch: int, epochs: int, steps: int):
        super().__init__()
        self._bar, self._epoch = bar, epoch
        self._task = bar.add_task(f"epoch {epoch + 1}/{epochs}", total=steps, loss="")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            raise TrainingError(not_finite(loss, self._epoch, f"step {batch + 1}"))
        self._bar.update(self._task, completed=batch + 1, loss=f"loss {loss:.4f}")


class _Weights(keras.callbacks.Callback):
    """Remembers the weights as they were when the epoch ended."""

    values: Sequence[np.ndarray] = ()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.values = self.model.get_weights()


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"))
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)


def _optimizer(
    variables: Sequence[Any], factors: Sequence[float], config: TrainingConfig, steps: int
) -> keras.optimizers.Optimizer:
    rate = learning_rate(
        config.schedule, config.learning_rate, steps * config.epochs, warmup=config.warmup, drops=config.drops
    )
    options: dict[str, Any] = {"global_clipnorm": config.clip_norm}
    if config.average:
        options |= {"use_ema": True, "ema_momentum": config.average}
    if config.accumulate > 1:
        options["gradient_accumulation_steps"] = config.accumulate
    return AdamW(
        rate,
        variables,
        factors=factors,
        weight_decay=config.weight_decay if config.optimizer == "adamw" else 0.0,
        compiled=keras.backend.backend() == "tensorflow" and not tf.distribute.has_strategy(),
        **options,
    )


@contextmanager
def _precision(mixed: bool) -> Iterator[None]:
    """Layers made inside compute in half precision if it is asked for and every GPU has the units for it."""
    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    able = bool(details) and all(detail.get("compute_capability", (0, 0)) >= (7, 0) for detail in details)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16" if mixed and able else before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)

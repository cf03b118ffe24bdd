"""A model in training: Keras's `fit`, one epoch a call, on whatever backend and devices are there."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from ..atomic import replace_file
from ..models.lora import merged_weights
from ..progress import progress_bar
from ..tasks.task import Task
from . import devices
from .checkpoints import assign, values_of
from .errors import TrainingError, not_finite
from .optimizers import AdamW
from .precision import half_precision, precision
from .schedules import learning_rate
from .settings import TrainingConfig
from .tuning import TuningConfig, learning_rate_factors, prepare

_EVERY = 10  # steps between two looks at the loss on a GPU: to look at it is to wait for it


class Trainer:
    """A compiled model, and beside it the plain float32 one on one device that is scored and saved.

    Attributes:
        portable: The saved one, as it was after the last epoch.
        half: The 16-bit type that the compiled one computes in; None: float32.
        replicas: Devices that train together.
    """

    def __init__(self, task: Task, config: TrainingConfig, tuning: TuningConfig):
        """Makes the models.

        Args:
            task: What they are for.
            config: How they are fitted.
            tuning: Which of their weights move, and how far.
        """
        keras.utils.set_random_seed(config.seed)
        if config.deterministic:
            devices.make_deterministic(fixed_shapes=task.fixed_shapes)
        self._steps, self._config = task.steps(), config
        self.half = half_precision() if config.mixed_precision else None
        self.portable = task.build()
        with devices.scope():
            self.replicas = devices.replicas()
            with precision(self.half):
                model = task.build()
                prepare(model, tuning)
                self._model = task.training_model(model)
            factors = learning_rate_factors(model, tuning.layer_decay)
            optimizer = _optimizer(self._model.trainable_variables, factors, config, self._steps, self.replicas)
            self._model.compile(optimizer, task.loss(), jit_compile=_compiled(task))
            self._model.optimizer.build(self._model.trainable_variables)

    def epoch(self, number: int, examples: Iterable[Any]) -> float:
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
        with progress_bar(MofNCompleteColumn(), TextColumn("{task.fields[loss]}")) as bar:
            watch = _Watch(bar, number, self._config.epochs, self._steps)
            # Once the model is built, which draws too.
            seeds = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: devices.seed((self._config.seed, number)))
            callbacks = _Sampled([watch, raw, seeds], self._model, self._steps)
            options: dict[str, Any] = {"initial_epoch": number, "epochs": number + 1, "steps_per_epoch": self._steps}
            history = self._model.fit(examples, callbacks=callbacks, shuffle=False, verbose=0, **options)
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


class _Sampled(keras.callbacks.CallbackList):
    """Callbacks that hear of every step on a CPU, elsewhere of every tenth and the last."""

    def __init__(self, callbacks: list[keras.callbacks.Callback], model: keras.Model, steps: int):
        super().__init__(callbacks, add_history=True, model=model)
        self._every, self._steps = _EVERY if devices.gpus() or devices.on_tpu() else 1, steps

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if (batch + 1) % self._every == 0 or batch + 1 == self._steps:
            super().on_train_batch_end(batch, logs)


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


def _optimizer(
    variables: Sequence[Any], factors: Sequence[float], config: TrainingConfig, steps: int, replicas: int
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
        compiled=keras.backend.backend() == "tensorflow" and replicas == 1,
        **options,
    )


def _compiled(task: Task) -> Any:
    """Whether XLA compiles the step: on JAX always; where batches are of many lengths, TensorFlow is faster without."""
    return "auto" if task.fixed_shapes or keras.backend.backend() == "jax" else False

"""How a model is fitted: the settings that every training has."""

from dataclasses import dataclass
from typing import Literal

from ..checks import check_least, check_shares


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
    """Compute in half precision where the device is made for it: bfloat16 on GPUs of CUDA compute capability 8.0 or
    more and on TPUs, float16 with scaled gradients on those of 7.0 or more; elsewhere it changes nothing."""
    deterministic: bool = True
    """The same seed gives the same weights (off: faster on GPUs; JAX on GPUs asks for
    XLA_FLAGS=--xla_gpu_deterministic_ops=true instead)."""
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


@dataclass(frozen=True, kw_only=True)
class PretrainingConfig(TrainingConfig):
    """How a model that reads running text is fitted."""

    patience: int = 0
    """Stop after so many epochs without a better validation score (0: never); the best epoch's weights are kept."""
    learning_rate: float = 5e-4
    """The highest learning rate."""
    schedule: Literal["constant", "cosine", "piecewise"] = "cosine"
    """How the learning rate changes: not at all, up and then down to zero over all epochs, or in drops."""

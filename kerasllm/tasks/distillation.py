"""Distillation: a student's labels are those of the data and what a teacher says of the same texts.

Sources: "Distilling the Knowledge in a Neural Network", Hinton, Vinyals and Dean 2015: a teacher's probabilities tell
more than the labels alone. "FitNets: Hints for Thin Deep Nets", Romero et al. 2014: the student's inner states may be
drawn towards the teacher's too; here those that both read their logits from.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from tokenizers import Tokenizer

from ..data.batches import BatchConfig, batches
from ..data.dataset import TextDataset
from ..data.tokens import TokenSplit
from ..training.teacher import pooled_state
from .classification import ClassificationTask

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class DistillationConfig:
    """What the student learns from the teacher."""

    temperature: float = 2.0
    """Divides the logits of both: the higher, the more the unlikely classes count."""
    soft: float = 0.9
    """Share of the teacher's probabilities in the loss, 0 to 1; the labels have the rest."""
    hidden: float = 0.0
    """Weight of the distance between the states that student and teacher read their logits from, where both are of
    one width (the teacher must be a RUN)."""
    unlabelled: tuple[Path, ...] = ()
    """More texts, which the teacher labels: .txt, a text a line, or a table with a column of texts (each also .gz)."""
    tokenizer: Literal["teacher", "own"] = "teacher"
    """Whose tokens the student reads: the teacher's, or those of the tokenizer settings."""
    teacher_vectors: bool = False
    """Start the student's embeddings from the teacher's, cut to its own width (the teacher must be a RUN)."""

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"`temperature` must be above 0. Received: {self.temperature}.")
        if not 0 <= self.soft <= 1:
            raise ValueError(f"`soft` must be from 0 to 1. Received: {self.soft}.")
        if self.hidden < 0:
            raise ValueError(f"`hidden` must be 0 or more. Received: {self.hidden}.")
        if self.teacher_vectors and self.tokenizer != "teacher":
            raise ValueError(
                "`teacher_vectors` belong to the teacher's tokens. Received: a tokenizer of the student's own. "
                "Use the teacher's, or leave its vectors."
            )


class DistillationTask(ClassificationTask):
    """A classification task whose training labels are those of the source and of a teacher, side by side."""

    def __init__(
        self,
        dataset: TextDataset,
        tokenizer: Tokenizer,
        build: "Callable[[], keras.Model]",
        batches: BatchConfig,
        *,
        logits: np.ndarray,
        states: np.ndarray | None = None,
        distillation: DistillationConfig,
        **options: Any,
    ):
        """Ties data, student and the teacher's answers together.

        Args:
            dataset: The labelled texts.
            tokenizer: What the student's ids mean.
            build: Makes a fresh student with logits [batch, classes].
            batches: How examples are put together.
            logits: The teacher's, float32 [training texts, classes].
            states: What the teacher's head reads, float32 [training texts, width].
            distillation: How they count.
            options: As for any classification task.
        """
        super().__init__(dataset, tokenizer, build, batches, **options)
        self._logits, self._states, self._config = logits, states, distillation

    def training_model(self, model: "keras.Model") -> "keras.Model":
        """The student with the state that its head reads beside its logits, [batch, classes + width], if asked for."""
        if self._states is None:
            return model
        import keras

        state = pooled_state(model)
        if state.shape[-1] != self._states.shape[-1]:
            raise ValueError(
                f"`hidden` needs a student as wide as its teacher before the head, {self._states.shape[-1]}. "
                f"Received: {state.shape[-1]}. Change `units`, or leave `hidden` at 0."
            )
        return keras.Model(model.inputs, keras.ops.concatenate([model.output, state], axis=-1))

    def loss(self) -> Any:
        """`distillation_loss`, of what `batches` gives."""
        classes, config = len(self.labels), self._config

        def loss(truth: Any, outputs: Any) -> Any:
            hard, teacher = truth[:, :classes], truth[:, classes : 2 * classes]
            value = distillation_loss(hard, teacher, outputs[:, :classes], config, self.multi_label)
            if self._states is None:
                return value
            return value + config.hidden * _distance(truth[:, 2 * classes :], outputs[:, classes:])

        return loss

    def batches(self, epoch: int) -> Iterable[Any]:
        """Training batches, where labels are float32 [batch, 2 * classes (+ width)]."""
        return batches(self._taught, self._batches, training=True, seed=self._seed, epoch=epoch)

    @cached_property
    def _taught(self) -> TokenSplit:
        """The training split, labelled with the true classes, the teacher's logits and maybe its states."""
        split = self._tokens["train"]
        hard = split.labels if self.multi_label else np.eye(len(self.labels), dtype=np.float32)[split.labels]
        hard = hard * (1 - self._smoothing) + self._smoothing / (2 if self.multi_label else len(self.labels))
        parts = [hard, self._logits, *([] if self._states is None else [self._states])]
        return replace(split, labels=np.concatenate(parts, axis=1, dtype=np.float32))


def distillation_loss(hard: Any, teacher: Any, student: Any, config: DistillationConfig, multi_label: bool) -> Any:
    """The loss of each text: of the labels, and of the teacher's probabilities at the temperature.

    Args:
        hard: The labels as probabilities, [batch, classes].
        teacher: The teacher's logits, [batch, classes].
        student: The student's logits, [batch, classes].
        config: The temperature and the shares.
        multi_label: Whether every class has a probability of its own.

    Returns:
        [batch], in nats: (1 - soft) times the cross-entropy with the labels, plus soft times the divergence of
        Kullback and Leibler from the teacher, times the square of the temperature, so that its gradients are as large
        at any temperature.
    """
    from keras import losses, ops

    cross = losses.binary_crossentropy if multi_label else losses.categorical_crossentropy
    warm, cool = teacher / config.temperature, student / config.temperature
    target = ops.sigmoid(warm) if multi_label else ops.softmax(warm)
    divergence = cross(target, cool, from_logits=True) - cross(target, warm, from_logits=True)
    return (1 - config.soft) * cross(hard, student, from_logits=True) + config.soft * config.temperature**2 * divergence


def _distance(teacher: Any, student: Any) -> Any:
    """1 less the cosine between the states of each text, [batch]."""
    from keras import ops

    return 1 - ops.sum(ops.normalize(teacher, axis=-1) * ops.normalize(student, axis=-1), axis=-1)

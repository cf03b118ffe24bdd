"""What training must know of a task, and nothing more: `fit_task` in training/fitting.py does the rest."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

if TYPE_CHECKING:
    import keras


class Task(ABC):
    """Examples, a model for them, its loss and its scores.

    Attributes:
        name: The Hugging Face name of the pipeline that serves it.
        score: The key of a report that says which of two models is better: the higher one.
        labels: The classes' names, in the order of the logits; none where the task has no classes.
        multi_label: Whether an example has any number of classes instead of exactly one.
        tokenizer: What the examples were tokenized with.
        max_length: Tokens kept of an example.
        examples: Split ("train", "validation" and maybe "test") to its number of examples.
        fingerprint: A digest of the data: the same content has the same one.
        notes: What reading the data did that its user should know, a sentence each.
        fixed_shapes: Whether all training batches have one shape, so that it pays to compile the whole step.
    """

    name: str
    score: str
    labels: tuple[str, ...] = ()
    multi_label: bool = False
    tokenizer: Tokenizer
    max_length: int
    examples: Mapping[str, int]
    fingerprint: str
    notes: tuple[str, ...] = ()
    fixed_shapes: bool = False

    @abstractmethod
    def build(self) -> "keras.Model":
        """A fresh model as it is saved, scored and exported.

        Returns:
            A functional model of Keras's and KerasHub's own layers, with the inputs `input_ids`, `attention_mask` and,
            where the architecture has segments, `token_type_ids`, int32 [batch, sequence]; no activation on its logits.
        """

    def training_model(self, model: "keras.Model") -> "keras.Model":
        """What `fit` sees of a built model: the same weights in the same order, by default the model itself."""
        return model

    @abstractmethod
    def loss(self) -> Any:
        """The loss, as `compile` takes it."""

    @abstractmethod
    def steps(self) -> int:
        """Batches in a pass over the training split."""

    @abstractmethod
    def tokens(self) -> int:
        """Tokens in a pass over the training split, padding not counted."""

    @abstractmethod
    def batches(self, epoch: int) -> Iterable[Any]:
        """Training batches from an epoch on, without end, as `kerasllm.data.pipeline` makes them: the same epoch
        always has the same ones.

        Args:
            epoch: The first epoch, from 0.
        """

    def token_flops(self) -> float | None:
        """Floating-point operations that a token of training takes, where the task can tell."""
        return None

    def samples(self, model: "keras.Model") -> list[tuple[str, str]]:
        """What a model that writes goes on with after some prompts: pairs of prompt and text."""
        del model
        return []

    @abstractmethod
    def report(self, model: "keras.Model", split: str) -> dict[str, Any]:
        """Scores a built model.

        Args:
            model: What `build` gave, with whatever weights.
            split: "validation" or "test".

        Returns:
            What JSON can hold, `score` and "loss" (in nats) among it.
        """

"""Text generation: a decoder that says which token comes next.

Sources: "Language Models are Unsupervised Multitask Learners", Radford et al. 2019 (running text in windows); for
attention that stays inside a text of a packed row, "Efficient Sequence Packing without Cross-contamination", Krell et
al. 2021.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.causal_rows import CausalRows
from ..metrics.language import language_metrics
from ..models.packed_model import packed_model, training_flops
from ..models.writing import write
from .masking import masked_cross_entropy, token_losses
from .task import Task

if TYPE_CHECKING:
    import keras

    from ..models.decoder import Decoder


class GenerationTask(Task):
    """Rows of tokens, and a decoder that predicts the next one at every place that is asked for."""

    name = "text-generation"
    score = "log_likelihood"
    fixed_shapes = True

    def __init__(
        self,
        rows: Mapping[str, CausalRows],
        decoder: "Decoder",
        *,
        max_length: int,
        sizes: Mapping[str, int],
        fingerprint: str,
        prompts: Mapping[str, list[int]] | None = None,
        ends: Sequence[int] = (),
        notes: Sequence[str] = (),
    ):
        """Makes the task.

        Args:
            rows: Those of "train", "validation" and maybe "test".
            decoder: What reads them.
            max_length: Tokens of a row.
            sizes: Bytes of the text that is asked for, of every split.
            fingerprint: A digest of the data.
            prompts: What samples go on after: texts as they are shown, and their token ids.
            ends: Ids that end a text.
            notes: What reading the data did.

        Raises:
            ValueError: The decoder cannot read such rows.
        """
        decoder.check_length(max_length)
        self.tokenizer, self.max_length = decoder.tokenizer, max_length
        self.examples = {name: len(found) for name, found in rows.items()}
        self.fingerprint, self.notes = fingerprint, tuple(notes)
        self._rows, self._decoder, self._sizes = rows, decoder, sizes
        self._prompts, self._ends = dict(prompts or {}), frozenset(ends)
        self._scorer: tuple[Any, Any] = (None, None)

    def build(self) -> "keras.Model":
        """A fresh `Decoder.model`."""
        return self._decoder.model()

    def training_model(self, model: "keras.Model") -> "keras.Model":
        """The same weights, on packed rows."""
        return packed_model(model, self.max_length)

    def loss(self) -> Any:
        """Cross-entropy of the tokens that are asked for."""
        return masked_cross_entropy

    def steps(self) -> int:
        """Batches of an epoch."""
        return self._rows["train"].steps

    def tokens(self) -> int:
        """Tokens of an epoch, padding not counted."""
        return self._rows["train"].tokens

    def batches(self, epoch: int) -> Iterable[Any]:
        """Training batches from an epoch on, without end; see `CausalRows.training`."""
        return self._rows["train"].training(epoch)

    def token_flops(self) -> float:
        """Floating-point operations that a token of training takes."""
        return training_flops(self._decoder.shape, self.max_length)

    def report(self, model: "keras.Model", split: str) -> dict[str, Any]:
        """Scores the model on a split; returns what `language_metrics` does."""
        if self._scorer[0] is not model:
            self._scorer = (model, _scorer(model, self.max_length))
        batches, steps = self._rows[split].evaluation()
        scores = self._scorer[1].predict(batches, steps=steps, verbose=0)
        nats, right, known = (np.sum(scores[name], dtype=np.float64) for name in ("loss", "right", "known"))
        return language_metrics(float(nats), int(right), int(known), self._sizes[split])

    def samples(self, model: "keras.Model") -> list[tuple[str, str]]:
        """What the model writes after each prompt, at temperature 0.8: prompt and text."""
        options: dict[str, Any] = {"context": self.max_length, "ends": self._ends}
        options |= {"max_new_tokens": _SAMPLE_TOKENS, "temperature": _SAMPLE_TEMPERATURE}
        written = {prompt: write(model, ids, **options) for prompt, ids in self._prompts.items()}
        return [(prompt, self.tokenizer.decode(ids, skip_special_tokens=True)) for prompt, ids in written.items()]


_SAMPLE_TOKENS, _SAMPLE_TEMPERATURE = 60, 0.8


def _scorer(model: "keras.Model", length: int) -> "keras.Model":
    """A model from rows with their labels to losses and hits of each row: no logits leave it."""
    import keras
    from keras import ops

    packed = packed_model(model, length)
    labels = keras.Input((length,), dtype="int32", name="labels")
    right = ops.equal(ops.cast(ops.argmax(packed.output, axis=-1), "int32"), labels)
    outputs = {
        "loss": ops.sum(token_losses(labels, packed.output), axis=-1),
        "right": ops.sum(ops.cast(right, "float32"), axis=-1),
        "known": ops.sum(ops.cast(labels >= 0, "float32"), axis=-1),
    }
    return keras.Model({**packed.input, "labels": labels}, outputs)

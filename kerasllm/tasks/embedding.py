"""Feature extraction: an encoder that makes one vector of a text, and its training on pairs of texts."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..data.batches import BatchConfig, input_specs, pad, training_order
from ..data.pairs import PairDataset, PairSplit
from ..data.pipeline import Spec, pipeline
from ..data.tokens import TokenSplit
from ..metrics.similarity import pair_metrics
from ..run import predict_logits
from ..tokenizing.tokenizer import encode, pad_id
from .pair_losses import negatives_ranking, similarity_order
from .pooling import pool
from .tokenized import TokenizedTask

if TYPE_CHECKING:
    import keras

    from ..models.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class EmbeddingHead:
    """How a text becomes a vector, and how vectors are told apart in training."""

    pooling: Literal["mean", "cls"] = "mean"
    """What stands for the text: the mean of its tokens' states, or the first token's."""
    temperature: float = 0.05
    """Divides cosines in the loss: the smaller, the more the hardest pairs count."""

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"`temperature` must be above 0. Received: {self.temperature}.")


class EmbeddingTask(TokenizedTask):
    """Pairs of texts, and an encoder whose vectors say which belong together, or how alike they are."""

    name = "feature-extraction"

    def __init__(
        self,
        dataset: PairDataset,
        encoder: "Encoder",
        head: EmbeddingHead,
        batches: BatchConfig,
        *,
        max_length: int,
        seed: int = 0,
    ):
        """Tokenizes the pairs: two rows each, labelled as `batches` says.

        Args:
            dataset: The pairs.
            encoder: What reads each text by itself.
            head: How a text becomes a vector.
            batches: How pairs are put together; a batch has two rows a pair.
            max_length: Tokens kept of a text.
            seed: Draws the order of pairs.

        Raises:
            ValueError: The encoder cannot read texts of `max_length`.
        """
        encoder.check_length(max_length)
        self.tokenizer, self.max_length = encoder.tokenizer, max_length
        self.score = "spearman" if dataset.scored else "accuracy"
        self.examples = {name: len(split) for name, split in dataset.splits.items()}
        self.fingerprint, self.notes = dataset.fingerprint, dataset.notes
        self._dataset, self._encoder, self._head = dataset, encoder, head
        self._batches, self._seed = batches, seed
        self._tokens = {name: self._tokenized(split) for name, split in dataset.splits.items()}

    def build(self) -> "keras.Model":
        """A fresh `embedding_model`."""
        return embedding_model(self._encoder, self._head.pooling)

    def training_model(self, model: "keras.Model") -> "keras.Model":
        """The same weights, and "sentence_embedding" alone."""
        import keras

        return keras.Model(model.input, model.output["sentence_embedding"], name=model.name)

    def loss(self) -> Any:
        """CoSENT of scored pairs, else multiple negatives ranking."""
        temperature = self._head.temperature
        if self._dataset.scored:
            return lambda scores, vectors: similarity_order(scores, vectors, temperature)
        return lambda texts, vectors: negatives_ranking(texts, vectors, temperature)

    def steps(self) -> int:
        """Batches in a pass over the training pairs."""
        return -(-self.examples["train"] // self._batches.batch_size)

    def batches(self, epoch: int) -> Iterable[Any]:
        """Training batches from an epoch on, without end.

        Returns:
            Elements of the model's inputs, int32 [2 * pairs, sequence], the two texts of a pair one after the other,
            and what `loss` takes, float32 [2 * pairs]: each pair's score twice, or the number of each text.
        """
        count, split = self.steps(), self._tokens["train"]
        longest = np.cumsum([0, *split.lengths.reshape(-1, 2).max(axis=1)])
        order = lru_cache(maxsize=2)(
            lambda which: training_order(TokenSplit(split.ids, longest, split.labels), self._batches, self._seed, which)
        )

        def make(number: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
            which, position = divmod(number, count)
            rows = (2 * order(which)[position][:, None] + [0, 1]).reshape(-1)
            return pad(split, rows, self._batches.multiple), split.labels[rows]

        inputs = input_specs(segments=self._encoder.segments)
        return pipeline(make, (inputs, Spec("float32", (None,))), start=epoch * count)

    def report(self, model: "keras.Model", split: str) -> dict[str, Any]:
        """What `pair_metrics` returns, and "loss": its mean over batches of the training's size."""
        tokens, pairs = self._tokens[split], self._dataset.splits[split]
        vectors = predict_logits(self.training_model(model), tokens)
        order = np.random.default_rng(0).permutation(len(pairs))  # neighbours may be alike
        losses = [
            float(self.loss()(tokens.labels[rows], vectors[rows]))
            for batch in np.array_split(order, -(-len(pairs) // self._batches.batch_size))
            for rows in [(2 * batch[:, None] + [0, 1]).reshape(-1)]
        ]
        return {**pair_metrics(vectors[::2], vectors[1::2], pairs), "loss": float(np.mean(losses))}

    def _tokenized(self, split: PairSplit) -> TokenSplit:
        texts = [text for pair in zip(split.firsts, split.seconds, strict=True) for text in pair]
        ids = encode(self.tokenizer, texts, self.max_length)
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        labels = [numbers[text] for text in texts] if split.scores is None else np.repeat(split.scores, 2)
        joined = np.concatenate(ids)
        types = np.zeros(len(joined), np.uint8) if self._encoder.segments else None
        offsets = np.cumsum([0, *map(len, ids)])
        return TokenSplit(joined, offsets, np.array(labels, np.float32), pad_id(self.tokenizer), types)


def embedding_model(encoder: "Encoder", pooling: Literal["mean", "cls"] = "mean") -> "keras.Model":
    """An encoder with one vector a text.

    Args:
        encoder: What reads the text.
        pooling: What stands for the text: the mean of its tokens' states, or the first token's.

    Returns:
        A model from the encoder's inputs, int32 [batch, sequence], to "last_hidden_state" [batch, sequence, hidden] and
        "sentence_embedding" [batch, hidden] of length 1, padding never seen.
    """
    import keras

    inputs = encoder.inputs()
    states = encoder.hidden_state(encoder.backbone(), inputs)
    vector = unit(pool(states, inputs["attention_mask"], pooling))
    return keras.Model(inputs, {"last_hidden_state": states, "sentence_embedding": vector}, name="sentence_encoder")


def unit(vectors: Any) -> Any:
    """Vectors [batch, hidden] scaled to length 1; zeros stay zeros."""
    from keras import ops

    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors / ops.sqrt(ops.maximum(squares, 1e-24))  # the maximum inside: a root has no slope at 0

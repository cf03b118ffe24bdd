"""Text classification: one text, or two together, to its class or classes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tokenizers import Tokenizer

from ..checks import check_least, check_shares
from ..data.batches import BatchConfig, balanced_weights, batches
from ..data.dataset import TextDataset
from ..data.tokens import token_cache
from ..metrics.classification import activate, classification_metrics
from ..run import predict_logits
from .agreement import agreeing, read_twice
from .heads import dense_head
from .hiding import hide_tokens
from .pooling import pool
from .tokenized import TokenizedTask

if TYPE_CHECKING:
    import keras

    from ..models.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class ClassificationHead:
    """What stands between an encoder's hidden states and the logits."""

    pooling: Literal["mean", "cls"] = "mean"
    """What stands for the text: the mean of its tokens' states, or the first token's."""
    dropout: float = 0.1
    """Share of the pooled state that is dropped in training, 0 to 1."""
    hide: float = 0.0
    """Share of the tokens that training shows as [MASK], 0 to 1: less is learned by heart."""
    agreement: float = 0.0
    """How much two readings of a text, each with other values dropped, must agree in training, 1 to 5 for instance
    (R-Drop; 0: texts are read once). Training takes twice as long."""

    def __post_init__(self) -> None:
        check_shares(self, "dropout", "hide")
        check_least(self, 0, "agreement")


class ClassificationTask(TokenizedTask):
    """Labelled texts, and any model that gives each of them a logit a class."""

    name = "text-classification"

    def __init__(
        self,
        dataset: TextDataset,
        tokenizer: Tokenizer,
        build: "Callable[[], keras.Model]",
        batches: BatchConfig,
        *,
        max_length: int,
        segments: bool = False,
        label_smoothing: float = 0.0,
        balance_classes: bool = False,
        hide: float = 0.0,
        agreement: float = 0.0,
        seed: int = 0,
    ):
        """Tokenizes the texts.

        Args:
            dataset: The labelled texts.
            tokenizer: What the model's ids mean.
            build: Makes a fresh model with logits [batch, classes].
            batches: How examples are put together.
            max_length: Tokens kept of an example.
            segments: Whether the model takes `token_type_ids`.
            label_smoothing: Share of certainty that goes from the true label to all of them, 0 to 1.
            balance_classes: Weigh the examples so that every class counts the same.
            hide: Share of the tokens that training shows as [MASK], 0 to below 1.
            agreement: How much two readings of a text must agree in training; 0: texts are read once.
            seed: Draws the order of examples.

        Raises:
            ValueError: Balanced classes of multi-label data.
        """
        if balance_classes and dataset.multi_label:
            raise ValueError("`balance_classes` needs one class an example. Received: multi-label data. Leave it off.")
        self._build, self._hide, self._agreement = build, hide, agreement
        self.tokenizer, self.max_length = tokenizer, max_length
        self.labels, self.multi_label = dataset.labels, dataset.multi_label
        self.score = "f1" if dataset.multi_label else "accuracy"
        self.examples = {name: len(split) for name, split in dataset.splits.items()}
        self.fingerprint, self.notes = dataset.fingerprint, dataset.notes
        self._tokens = token_cache(dataset, tokenizer, max_length, segments=segments)
        self._batches, self._seed = batches, seed
        self._smoothing, self._balance = label_smoothing, balance_classes

    def build(self) -> "keras.Model":
        """A fresh classifier."""
        return self._build()

    def training_model(self, model: "keras.Model") -> "keras.Model":
        """The model itself, or one that does not see every token, or reads every text twice."""
        seeing = hide_tokens(model, self.tokenizer, self._hide) if self._hide else model
        return read_twice(seeing) if self._agreement else seeing

    def loss(self) -> Any:
        """Cross-entropy with label smoothing, and what two readings differ by if they must agree."""
        known = self._cross_entropy()
        return agreeing(known, self._agreement, multi_label=self.multi_label) if self._agreement else known

    def _cross_entropy(self) -> Any:
        """Of a softmax, or of each class's sigmoid if multi-label."""
        import keras

        smoothing = self._smoothing
        if self.multi_label:
            return keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)

        def cross_entropy(labels: Any, logits: Any) -> Any:
            truth = keras.ops.one_hot(keras.ops.reshape(labels, (-1,)), logits.shape[-1])
            return keras.losses.categorical_crossentropy(truth, logits, from_logits=True, label_smoothing=smoothing)

        return cross_entropy

    def batches(self, epoch: int) -> Iterable[Any]:
        """Training batches from an epoch on, without end; a third item weighs the examples if classes are balanced."""
        if not self._balance:
            return super().batches(epoch)
        split = self._tokens["train"]
        weights = balanced_weights(split.labels, len(self.labels)).tolist()
        return batches(split, self._batches, training=True, seed=self._seed, epoch=epoch, class_weights=weights)

    def report(self, model: "keras.Model", split: str) -> dict[str, Any]:
        """What `classification_metrics` returns, and "f1" (micro) beside it if multi-label."""
        tokens = self._tokens[split]
        probabilities = activate(predict_logits(model, tokens), self.multi_label)
        scores = classification_metrics(tokens.labels, probabilities, self.labels, self.multi_label)
        return scores | ({"f1": scores["micro"]["f1"]} if self.multi_label else {})


def encoder_classifier(encoder: "Encoder", head: ClassificationHead, classes: int) -> "keras.Model":
    """An encoder with one logit a class: pooling, dropout, a dense layer.

    Args:
        encoder: What reads the text.
        head: How its states become one.
        classes: Number of logits.

    Returns:
        A model from the encoder's inputs, int32 [batch, sequence], to "logits" [batch, classes].
    """
    import keras

    inputs = encoder.inputs()
    states = encoder.hidden_state(encoder.backbone(), inputs)
    pooled = pool(states, inputs["attention_mask"], head.pooling)
    logits = dense_head(pooled, classes, dropout=head.dropout, name="logits")
    return keras.Model(inputs, logits, name="encoder_classifier")

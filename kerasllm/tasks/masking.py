"""Fill-mask: an encoder that says which token stands at each place, and its training by masking tokens.

Source: BERT (Devlin et al. 2019), masking drawn anew each epoch as in RoBERTa (Liu et al. 2019), logits computed at the
masked places alone in training, the output matrix tied to the input embeddings (Press and Wolf 2017).
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.masked_rows import MaskedRows
from ..data.masking import MaskingConfig
from ..data.running_text import Document, fingerprint
from .task import Task

if TYPE_CHECKING:
    import keras

    from ..models.encoder import Encoder

_TRANSFORM, _NORM, _BIAS = "mask_transform", "mask_norm", "mask_bias"  # the head's layers
_EMBEDDING = "token_embedding"  # the encoder's layer that the head shares


class MaskingTask(Task):
    """Running text with masked tokens, and an encoder that fills them in."""

    name = "fill-mask"
    score = "masked_accuracy"

    def __init__(
        self,
        documents: Mapping[str, list[Document]],
        encoder: "Encoder",
        masking: MaskingConfig,
        *,
        batch_size: int,
        max_length: int,
        seed: int = 0,
    ):
        """Tokenizes the documents and packs them into rows.

        Args:
            documents: Those of "train" and "validation", see `running_text.read_documents`.
            encoder: What reads the rows.
            masking: What is hidden from it.
            batch_size: Most rows in a batch.
            max_length: Tokens of a row.
            seed: Draws the order of rows and the masks.

        Raises:
            ValueError: The encoder cannot read such rows, its tokenizer has no [MASK], or the text fills no row.
        """
        encoder.check_length(max_length)
        if masking.next_sentence and not encoder.segments:
            raise ValueError(
                "Next-sentence prediction needs an encoder with segments, as bert has. Received: one without. "
                "Leave it off."
            )
        self.tokenizer, self.max_length = encoder.tokenizer, max_length
        self._encoder, self._next_sentence = encoder, masking.next_sentence
        options: dict[str, Any] = {"batch_size": batch_size, "max_length": max_length, "seed": seed}
        self._rows = {
            name: MaskedRows(found, encoder.tokenizer, masking, segments=encoder.segments, **options)
            for name, found in documents.items()
        }
        self.examples = {name: len(rows) for name, rows in self._rows.items()}
        self.fingerprint = fingerprint(documents)

    def build(self) -> "keras.Model":
        """A fresh `masked_model`; with next-sentence prediction its outputs are "logits" and "next_sentence"."""
        model = masked_model(self._encoder)
        return with_next_sentence(model) if self._next_sentence else model

    def training_model(self, model: "keras.Model") -> "keras.Model":
        """The same weights, and logits at the masked places alone."""
        return at_positions(model)

    def loss(self) -> Any:
        """Cross-entropy of the masked tokens, and of the sentence class where that is asked for too."""
        import keras

        if not self._next_sentence:
            return masked_cross_entropy
        sentence = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return {"logits": masked_cross_entropy, "next_sentence": sentence}

    def steps(self) -> int:
        """Batches in a pass over the training rows."""
        return self._rows["train"].steps

    def tokens(self) -> int:
        """Tokens in a pass over the training rows."""
        return self._rows["train"].tokens

    def batches(self, epoch: int) -> Iterable[Any]:
        """Training batches from an epoch on, without end, each epoch with other masks; see `MaskedRows.training`."""
        return self._rows["train"].training(epoch, self._taught)

    def report(self, model: "keras.Model", split: str) -> dict[str, Any]:
        """Scores the model on a split's rows, whose masks are always the same.

        Returns:
            "rows", "masked_tokens", "masked_accuracy" (0 to 1), "perplexity" (of a masked token), "loss" (what training
            minimises, in nats), and with next-sentence prediction "next_sentence_accuracy" (0 to 1).
        """
        rows = self._rows[split]
        scores = _scorer(model).predict(rows.evaluation(), steps=rows.steps, verbose=0)
        masked = int(scores["known"].sum())
        loss = float(scores["loss"].sum(dtype=np.float64)) / masked
        report = {
            "rows": len(rows),
            "masked_tokens": masked,
            "masked_accuracy": float(scores["right"].sum()) / masked,
            "perplexity": float(np.exp(loss)),
            "loss": loss,
        }
        if self._next_sentence:
            report["loss"] += float(scores["next_sentence_loss"].mean())
            report["next_sentence_accuracy"] = float(scores["next_sentence_right"].mean())
        return report

    def _taught(self, batch: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        """Inputs and what the model must say of them, as `fit` takes them."""
        labels = {"logits": batch["labels"]}
        if self._next_sentence:
            labels["next_sentence"] = batch["next_sentence_labels"]
        inputs = {name: array for name, array in batch.items() if not name.endswith("labels")}
        return inputs, labels if self._next_sentence else batch["labels"]


def masked_model(encoder: "Encoder") -> "keras.Model":
    """An encoder with the logits of every token of the vocabulary at every place, its head fresh.

    Args:
        encoder: What reads the text.

    Returns:
        A model from the encoder's inputs, int32 [batch, sequence], to "logits" [batch, sequence, vocab].
    """
    import keras

    inputs, backbone = encoder.inputs(), encoder.backbone()
    states = encoder.hidden_state(backbone, inputs)
    embedding = encoder.token_embedding(backbone)
    normal = keras.initializers.TruncatedNormal(stddev=0.02)  # as the encoder's own layers
    head = [
        keras.layers.Dense(embedding.output_dim, activation="gelu", kernel_initializer=normal, name=_TRANSFORM),
        keras.layers.LayerNormalization(epsilon=1e-12, name=_NORM),
        embedding,
        # Keras has no layer of a bias alone: this one multiplies it by one.
        keras.layers.Dense(embedding.input_dim, use_bias=False, kernel_initializer="zeros", name=_BIAS),
    ]
    return keras.Model(inputs, _logits(states, *head), name="masked_language_model")


def with_next_sentence(model: "keras.Model") -> "keras.Model":
    """A `masked_model` with a second output, "next_sentence" [batch, 2]: the logits of `FOLLOWS` and `RANDOM`."""
    import keras

    first = model.get_layer(_TRANSFORM).input[:, 0]
    pooled = keras.layers.Dense(first.shape[-1], activation="tanh", name="next_sentence_pooled")(first)
    outputs = {"logits": model.output, "next_sentence": keras.layers.Dense(2, name="next_sentence")(pooled)}
    return keras.Model(_named(model.inputs), outputs, name=model.name)


def logits_only(model: "keras.Model") -> "keras.Model":
    """The model without next-sentence prediction: a `masked_model`, with the same weights."""
    import keras

    if not isinstance(model.output, dict):
        return model
    return keras.Model(_named(model.inputs), model.output["logits"], name=model.name)


def at_positions(model: "keras.Model") -> "keras.Model":
    """A `masked_model` that computes logits only where it is asked to: the same weights in the same order.

    Args:
        model: What `masked_model` made, with next-sentence prediction or not, loaded from a file or not.

    Returns:
        A model with one more input, "masked_positions", int32 [batch, places], and logits [batch, places, vocab]: at
        15 % of the places that is a seventh of the head's work.
    """
    import keras
    from keras import ops

    head = [model.get_layer(name) for name in (_TRANSFORM, _NORM, _EMBEDDING, _BIAS)]
    positions = keras.Input((None,), dtype="int32", name="masked_positions")
    states = ops.take_along_axis(head[0].input, ops.expand_dims(positions, -1), axis=1)
    logits = _logits(states, *head)
    outputs = model.output | {"logits": logits} if isinstance(model.output, dict) else logits
    return keras.Model(_named([*model.inputs, positions]), outputs, name=model.name)


def masked_cross_entropy(labels: Any, logits: Any) -> Any:
    """Mean cross-entropy in nats of labels [batch, places], -1 where there is none, and logits [..., vocab]."""
    from keras import ops

    labels = ops.cast(labels, "int32")
    known = ops.cast(labels >= 0, "float32")
    return ops.sum(token_losses(labels, logits)) / ops.maximum(ops.sum(known), 1)


def token_losses(labels: Any, logits: Any) -> Any:
    """The cross-entropy at each place, [batch, places], 0 where there is no label."""
    from keras import ops

    losses = ops.sparse_categorical_crossentropy(ops.maximum(labels, 0), ops.cast(logits, "float32"), from_logits=True)
    return losses * ops.cast(labels >= 0, "float32")


def _scorer(model: "keras.Model") -> "keras.Model":
    """A model from a batch of `MaskedRows` to its losses and hits: no logits leave it."""
    import keras
    from keras import ops

    asked = at_positions(model)
    labels = keras.Input((None,), dtype="int32", name="labels")
    logits = asked.output["logits"] if isinstance(asked.output, dict) else asked.output
    right = ops.equal(ops.cast(ops.argmax(logits, axis=-1), "int32"), labels)
    outputs = {"loss": token_losses(labels, logits), "right": right, "known": labels >= 0}
    inputs = [*asked.inputs, labels]
    if isinstance(asked.output, dict):
        truth = keras.Input((), dtype="int32", name="next_sentence_labels")
        said = asked.output["next_sentence"]
        outputs["next_sentence_loss"] = ops.sparse_categorical_crossentropy(truth, said, from_logits=True)
        outputs["next_sentence_right"] = ops.equal(ops.cast(ops.argmax(said, axis=-1), "int32"), truth)
        inputs.append(truth)
    return keras.Model(_named(inputs), outputs)


def _logits(states: Any, transform: Any, norm: Any, embedding: Any, bias: Any) -> Any:
    """States [batch, places, hidden] -> logits [batch, places, vocab]."""
    from keras import ops

    states = norm(transform(states))
    return embedding(states, reverse=True) + bias(ops.ones_like(states[:, :1, :1]))


def _named(tensors: Any) -> "dict[str, Any]":
    return {tensor.name: tensor for tensor in tensors}

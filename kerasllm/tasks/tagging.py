"""Token classification: which words of a text stand for a person, a place or whatever else spans are named.

What is labelled is a word as the tokenizer's pre-tokenizer cuts it, since that is all that serving sees of a text: its
first piece has the label, the others are not asked for (Devlin et al. 2019, BERT, section 5.3).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from ..checks import check_shares
from ..data.batches import BatchConfig
from ..data.tagged import TaggedDataset, TaggedSplit, span_names
from ..data.tokens import TokenSplit
from ..data.windows import joined, windowed
from ..metrics.spans import as_spans, span_metrics
from ..models.token_outputs import token_outputs
from ..serving.entities import read_entities
from ..serving.probabilities import cross_entropy
from ..serving.rows import Row
from ..serving.spans import Span, first_pieces, word_offsets
from ..serving.windows import STRIDE, Window, merge_windows
from ..tokenizing.tokenizer import pad_id
from .heads import dense_head
from .tokenized import TokenizedTask

if TYPE_CHECKING:
    import keras

    from ..models.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class TaggingHead:
    """What stands between an encoder's hidden states and the logits of every token."""

    dropout: float = 0.1
    """Share of each token's state that is dropped in training, 0 to 1."""

    def __post_init__(self) -> None:
        check_shares(self, "dropout")


class TaggingTask(TokenizedTask):
    """Texts with named spans, and an encoder that gives every token a logit a label."""

    name = "token-classification"
    score = "f1"

    def __init__(
        self,
        dataset: TaggedDataset,
        encoder: "Encoder",
        head: TaggingHead,
        batches: BatchConfig,
        *,
        max_length: int,
        label_smoothing: float = 0.0,
        seed: int = 0,
    ):
        """Tokenizes the texts. Those longer than `max_length` are cut into overlapping windows.

        Args:
            dataset: The texts with their spans.
            encoder: What reads them.
            head: What comes after it.
            batches: How windows are put together.
            max_length: Tokens of a window.
            label_smoothing: Share of certainty that goes from the true label to all of them, 0 to 1.
            seed: Draws the order of windows.

        Raises:
            ValueError: The encoder cannot read `max_length` tokens, or its tokenizer does not cut texts into words.
        """
        encoder.check_length(max_length)
        _check_words(encoder.tokenizer)
        self.tokenizer, self.max_length = encoder.tokenizer, max_length
        self.labels, self.fingerprint = dataset.labels, dataset.fingerprint
        self.examples = {name: len(split) for name, split in dataset.splits.items()}
        self._dataset, self._encoder, self._head, self._batches = dataset, encoder, head, batches
        self._smoothing, self._seed = label_smoothing, seed
        notes: list[str] = []
        self._tokens = {name: self._tokenized(name, notes) for name in dataset.splits}
        self.notes = (*dataset.notes, *notes)

    def build(self) -> "keras.Model":
        """A fresh `tagging_model`."""
        return tagging_model(self._encoder, self._head, len(self.labels))

    def loss(self) -> Any:
        """`token_cross_entropy` with label smoothing."""
        return lambda labels, logits: token_cross_entropy(labels, logits, self._smoothing)

    def report(self, model: "keras.Model", split: str) -> dict[str, Any]:
        """What `span_metrics` returns, and "loss": the mean over the words of the windows."""
        tokens, given = self._tokens[split], self._dataset.splits[split]
        logits = [outputs["logits"] for outputs in token_outputs(model, tokens, self._batches)]
        rest, found = iter(logits), []
        for text, (encoding, windows) in zip(given.texts, self._windowed(split), strict=True):
            merged = merge_windows(windows, [next(rest) for _ in windows])
            found.append(as_spans(read_entities(text, encoding, merged, self.labels)))
        return {"loss": _mean_loss(tokens.labels, np.concatenate(logits)), **self._scores(given, found)}

    def _windowed(self, split: str) -> Iterator[tuple[Encoding, list[Window]]]:
        where = f"the {split} split of {self._dataset.name}"
        return windowed(self.tokenizer, self._dataset.splits[split].texts, self.max_length, STRIDE, where)

    def _scores(self, given: TaggedSplit, found: Sequence[Sequence[Span]]) -> dict[str, Any]:
        return span_metrics(given, found, span_names(self.labels))

    def _tokenized(self, name: str, notes: list[str]) -> TokenSplit:
        """The split's windows; notes how many spans even a perfect model could not find."""
        given, index = self._dataset.splits[name], {label: place for place, label in enumerate(self.labels)}
        rows: list[tuple[Row, np.ndarray]] = []
        findable = []
        for text, spans, (encoding, windows) in zip(given.texts, given.spans, self._windowed(name), strict=True):
            labels = token_labels(encoding, spans, index)
            rows += [(window.row, window_labels(window, labels)) for window in windows]
            perfect = np.eye(len(index), dtype=np.float32)[labels]  # what -1 picks is never read
            findable.append(as_spans(read_entities(text, encoding, perfect, self.labels)))
        total = sum(map(len, given.spans))
        missed = total - round(total * self._scores(given, findable)["recall"])
        if missed:
            notes.append(f"{missed:,} of {total:,} {name} spans cut words of the tokenizer: no model can find them.")
        return joined(rows, pad_id(self.tokenizer), segments=self._encoder.segments)


def tagging_model(encoder: "Encoder", head: TaggingHead, labels: int) -> "keras.Model":
    """An encoder with one logit a label for every token.

    Args:
        encoder: What reads the text.
        head: What comes after it.
        labels: Number of logits.

    Returns:
        A model from the encoder's inputs, int32 [batch, sequence], to "logits" [batch, sequence, labels].
    """
    import keras

    inputs = encoder.inputs()
    states = encoder.hidden_state(encoder.backbone(), inputs)
    logits = dense_head(states, labels, dropout=head.dropout, name="logits")
    return keras.Model(inputs, logits, name="encoder_tagger")


def token_cross_entropy(labels: Any, logits: Any, smoothing: float = 0.0) -> Any:
    """The mean cross-entropy in nats over the tokens that are asked for.

    Args:
        labels: Whole numbers [batch, sequence], -1 where nothing is asked for.
        logits: float32 [batch, sequence, labels].
        smoothing: Share of certainty that goes from the true label to all of them, 0 to 1.
    """
    from keras import ops

    labels = ops.cast(labels, "int32")
    known = ops.cast(labels >= 0, "float32")
    logs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    truth = ops.one_hot(ops.maximum(labels, 0), logits.shape[-1])
    truth = truth * (1 - smoothing) + smoothing / logits.shape[-1]
    losses = -ops.sum(truth * logs, axis=-1)
    return ops.sum(losses * known) / ops.maximum(ops.sum(known), 1)


def token_labels(encoding: Encoding, spans: Sequence[Span], index: dict[str, int]) -> np.ndarray:
    """The labels of a text's tokens, special ones not among them: int32 [tokens], -1 for all but first pieces.

    A word belongs to the span that it shares characters with; where there are two, to the first.

    Args:
        encoding: The text's tokens.
        spans: Its spans in characters, in order.
        index: BIO label to its number.
    """
    own = [place for place, sequence in enumerate(encoding.sequence_ids) if sequence is not None]
    ids, offsets = encoding.word_ids, encoding.offsets
    words = [ids[place] for place in own]
    bounds = word_offsets([offsets[place] for place in own], words)
    labels = np.zeros(len(bounds), np.int32)
    taken = 0
    for name, start, end in spans:
        first = max(taken, int(np.searchsorted(bounds[:, 1], start, side="right")))
        taken = max(first, int(np.searchsorted(bounds[:, 0], end, side="left")))
        labels[first:taken] = index[f"I-{name}"]
        labels[first : min(first + 1, taken)] = index[f"B-{name}"]
    spread = np.full(len(own), -1, np.int32)
    spread[first_pieces(words)] = labels
    return spread


def window_labels(window: Window, labels: np.ndarray) -> np.ndarray:
    """The labels of a window's tokens, int32 [tokens of the row], -1 for special tokens.

    Args:
        window: A window of the text.
        labels: Those of the text's own tokens, int32 [tokens].
    """
    spread = np.full(len(window.row.ids), -1, np.int32)
    count = window.inside.stop - window.inside.start
    spread[window.inside] = labels[window.first : window.first + count]
    return spread


def _check_words(tokenizer: Tokenizer) -> None:
    words = {word for word in tokenizer.encode("a b").word_ids if word is not None}
    if len(words) != 2:
        raise ValueError(
            "Token classification needs a tokenizer that cuts texts into words. Received: one for which 'a b' is "
            f"{len(words)}. Take another encoder."
        )


def _mean_loss(labels: np.ndarray, logits: np.ndarray) -> float:
    """The mean cross-entropy in nats of the tokens that are asked for; 0 where there are none."""
    known = np.flatnonzero(labels >= 0)
    return float(cross_entropy(logits[known], labels[known]).mean()) if len(known) else 0.0

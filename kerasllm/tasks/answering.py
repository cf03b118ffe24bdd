"""Question answering: where in a context the answer to a question starts and ends.

Source: BERT (Devlin et al. 2019, sections 4.2 and 4.3). That there is no answer is the first token, as start and end;
so is the answer of a window that the true one does not lie in.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Encoding

from ..checks import check_least, check_shares
from ..data.batches import BatchConfig
from ..data.questions import QuestionDataset, TrueAnswer
from ..data.tokens import TokenSplit
from ..data.windows import joined, windowed
from ..metrics.answers import answer_metrics
from ..models.token_outputs import token_outputs
from ..serving.answers import answer_entry, best_answers, context_offsets, window_logits
from ..serving.probabilities import cross_entropy
from ..serving.spans import trim
from ..serving.windows import Window
from ..tokenizing.tokenizer import pad_id
from .heads import dense_head
from .tokenized import TokenizedTask

if TYPE_CHECKING:
    import keras

    from ..models.encoder import Encoder

# What is asked of a token: nothing (it cannot start or end an answer), neither, or whether it starts or ends one.
NOTHING, NEITHER, START, END = -1, 0, 1, 2
_NEVER = -1e9  # scores nothing in a softmax


@dataclass(frozen=True, kw_only=True)
class AnsweringHead:
    """How long contexts are read, and which answers there may be."""

    stride: int = 128
    """Tokens that neighbouring windows of a long context share."""
    max_answer: int = 30
    """Most tokens of an answer."""
    null: bool | None = None
    """Whether "there is none" may be the answer (default: if some training questions have none)."""
    dropout: float = 0.1
    """Share of each token's state that is dropped in training, 0 to 1."""

    def __post_init__(self) -> None:
        check_least(self, 0, "stride")
        check_least(self, 1, "max_answer")
        check_shares(self, "dropout")


class AnsweringTask(TokenizedTask):
    """Questions on contexts, and an encoder that says of every token whether the answer starts or ends there.

    Attributes:
        head: The head's settings, `null` decided.
    """

    name = "question-answering"
    score = "f1"

    def __init__(
        self,
        dataset: QuestionDataset,
        encoder: "Encoder",
        head: AnsweringHead,
        batches: BatchConfig,
        *,
        max_length: int,
        seed: int = 0,
    ):
        """Tokenizes the questions, each with every window of its context.

        Args:
            dataset: The questions.
            encoder: What reads them.
            head: How, and what comes after it.
            batches: How windows are put together.
            max_length: Tokens of a question with a window of its context.
            seed: Draws the order of windows.

        Raises:
            ValueError: The encoder cannot read `max_length` tokens, or a question leaves no room for its context.
        """
        encoder.check_length(max_length)
        self.tokenizer, self.max_length = encoder.tokenizer, max_length
        self.fingerprint = dataset.fingerprint
        self.examples = {name: len(split) for name, split in dataset.splits.items()}
        unanswerable = sum(not answers for answers in dataset.splits["train"].answers)
        self.head = replace(head, null=unanswerable > 0 if head.null is None else head.null)
        self._dataset, self._encoder, self._batches, self._seed = dataset, encoder, batches, seed
        self._tokens = {name: self._tokenized(name) for name in dataset.splits}
        train = self._tokens["train"]
        windows = f"{self.examples['train']:,} training questions are read in {len(train):,} windows."
        self.notes = (*dataset.notes, *([windows] if len(train) > self.examples["train"] else []))

    def build(self) -> "keras.Model":
        """A fresh `answering_model`."""
        return answering_model(self._encoder, self.head.dropout)

    def training_model(self, model: "keras.Model") -> "keras.Model":
        """The same weights, and both logits in one output [batch, sequence, 2]."""
        import keras

        return keras.Model(model.input, model.get_layer("ends").output, name=model.name)

    def loss(self) -> Any:
        """`ends_cross_entropy`."""
        return ends_cross_entropy

    def report(self, model: "keras.Model", split: str) -> dict[str, Any]:
        """What `answer_metrics` returns, and "loss": the mean over the windows."""
        tokens, given = self._tokens[split], self._dataset.splits[split]
        outputs = token_outputs(model, tokens, self._batches)
        rest, found = iter(outputs), []
        for context, (encoding, windows) in zip(given.contexts, self._windowed(split), strict=True):
            logits = [window_logits(window, next(rest)) for window in windows]
            best = best_answers(logits, max_answer=self.head.max_answer, null=bool(self.head.null))
            found.append(answer_entry(context, context_offsets(encoding), best[0])["answer"] if best else "")
        return {"loss": _mean_loss(tokens, outputs), **answer_metrics(given.answers, found)}

    def _windowed(self, split: str) -> Iterator[tuple[Encoding, list[Window]]]:
        given, where = self._dataset.splits[split], f"the {split} split of {self._dataset.name}"
        pairs = list(zip(given.questions, given.contexts, strict=True))
        return windowed(self.tokenizer, pairs, self.max_length, self.head.stride, where)

    def _tokenized(self, name: str) -> TokenSplit:
        given = self._dataset.splits[name]
        rows = []
        for context, answers, (encoding, windows) in zip(
            given.contexts, given.answers, self._windowed(name), strict=True
        ):
            place = answer_place(context, answers, encoding)
            rows += [(window.row, answer_labels(window, place)) for window in windows]
        return joined(rows, pad_id(self.tokenizer), segments=self._encoder.segments)


def answering_model(encoder: "Encoder", dropout: float = 0.1) -> "keras.Model":
    """An encoder with two logits for every token.

    Args:
        encoder: What reads question and context.
        dropout: Share of each token's state that is dropped in training, 0 to 1.

    Returns:
        A model from the encoder's inputs, int32 [batch, sequence], to "start_logits" and "end_logits", both float32
        [batch, sequence].
    """
    import keras

    inputs = encoder.inputs()
    states = encoder.hidden_state(encoder.backbone(), inputs)
    ends = dense_head(states, 2, dropout=dropout, name="ends")
    return keras.Model(inputs, {"start_logits": ends[..., 0], "end_logits": ends[..., 1]}, name="encoder_reader")


def ends_cross_entropy(labels: Any, logits: Any) -> Any:
    """The mean cross-entropy in nats of an answer's first and its last token, among the tokens that may be it.

    Args:
        labels: Whole numbers [batch, sequence], as `answer_labels` gives them, `NOTHING` at padding.
        logits: float32 [batch, sequence, 2], of starts and of ends.
    """
    from keras import ops

    labels = ops.cast(labels, "int32")
    logits = ops.where((labels >= 0)[..., None], ops.cast(logits, "float32"), _NEVER)
    both = labels == START + END
    truth = ops.stack([(labels == START) | both, (labels == END) | both], axis=-1)
    chosen = ops.sum(ops.where(truth, logits, 0.0), axis=1)
    return ops.mean(ops.logsumexp(logits, axis=1) - chosen)


def answer_place(context: str, answers: tuple[TrueAnswer, ...], encoding: Encoding) -> tuple[int, int] | None:
    """The first and the last token of the context that hold the answer; None where it has none.

    Args:
        context: The context.
        answers: The true answers; the first that is in the context counts.
        encoding: The tokens of question and context.
    """
    answer = next((each for each in answers if each.start >= 0), None)
    if answer is None:
        return None
    start, end = trim(context, answer.start, answer.start + len(answer.text))
    offsets = context_offsets(encoding)
    first = int(np.searchsorted(offsets[:, 1], start, side="right"))
    last = int(np.searchsorted(offsets[:, 0], end, side="left")) - 1
    return (first, last) if first <= last else None  # of characters that the tokenizer throws away


def answer_labels(window: Window, place: tuple[int, int] | None) -> np.ndarray:
    """What is asked of a window's tokens: `NOTHING` but of the first one and those of the context.

    Args:
        window: A question with a window of its context.
        place: The answer's first and last token in the whole context; None: there is none.

    Returns:
        int32 [tokens of the row]; `START` + `END` where the answer is one token, or the first one where it is not in
        the window.
    """
    labels = np.full(len(window.row.ids), NOTHING, np.int32)
    labels[0] = labels[window.inside] = NEITHER
    start = end = 0
    if place is not None:
        shift = window.inside.start - window.first
        inside = range(window.inside.start, window.inside.stop)
        if place[0] + shift in inside and place[1] + shift in inside:
            start, end = place[0] + shift, place[1] + shift
    labels[start] += START
    labels[end] += END
    return labels


def _mean_loss(split: TokenSplit, outputs: list[dict[str, np.ndarray]]) -> float:
    """`ends_cross_entropy` over all windows."""
    losses = []
    for row, values in enumerate(outputs):
        labels = split.labels[split.offsets[row] : split.offsets[row + 1]]
        for name, side in (("start_logits", START), ("end_logits", END)):
            asked = labels[labels >= 0]
            right = np.flatnonzero((asked == side) | (asked == START + END))[:1]
            losses.append(cross_entropy(values[name][None, labels >= 0], right))
    return float(np.mean(losses))

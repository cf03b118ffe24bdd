"""Question answering: a question and a context in, the stretch of the context that answers it out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tokenizers

from .answers import OUTPUTS, WindowLogits, answer_entry, best_answers, context_offsets, window_logits
from .graph import Graph, Row
from .manifest import Manifest
from .texts import check_text, check_texts, chunks, encode_whole
from .windows import Window, cut_windows

# Questions that are answered together: their windows are sorted by length, and their encodings held at once.
_CHUNK = 64
_EMPTY = "A context must hold text to find the answer in. Received: an empty one."


class QuestionAnswerer:
    """A served reader. It holds no state between calls, so threads may share it.

    Calling it gives what a Hugging Face question-answering pipeline gives. Contexts longer than the model reads are
    read in overlapping windows.
    """

    def __init__(self, graph: Graph, tokenizer: tokenizers.Tokenizer, manifest: Manifest):
        """Binds the graph to its tokenizer.

        Args:
            graph: The graph; its outputs "start_logits" and "end_logits" are [batch, sequence].
            tokenizer: Its tokenizer, used by this reader alone.
            manifest: The manifest of the bundle; its settings are "stride" and "max_answer" in tokens, and "null".
        """
        self.graph = graph
        self.labels = manifest.labels
        self.tokenizer = tokenizer
        self.preprocessing = manifest.preprocessing
        self.stride: int = manifest.setting("stride", 128)
        self.max_answer: int = manifest.setting("max_answer", 30)
        self.null: bool = manifest.setting("null", False)
        tokenizer.no_padding()
        tokenizer.no_truncation()

    def __call__(
        self,
        inputs: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None,
        *,
        question: str | Sequence[str] | None = None,
        context: str | Sequence[str] | None = None,
        top_k: int = 1,
        max_answer_len: int | None = None,
        handle_impossible_answer: bool | None = None,
    ) -> Any:
        """Answers one question or several.

        Args:
            inputs: {"question", "context"}, or a list of them, instead of the next two.
            question: A question, or a list of them.
            context: What to read for it; or one for each question.
            top_k: How many answers to give to a question.
            max_answer_len: Most tokens of an answer; None: as the bundle says.
            handle_impossible_answer: Whether "" may be the answer; None: as the bundle says.

        Returns:
            For one question: {"answer", "score", "start", "end"}, best first in a list where `top_k` is more than 1.
            `answer` is context[start:end], and `score` its probability among all answers that are allowed. That there
            is no answer is {"answer": "", "start": 0, "end": 0}. For a list: one of these a question.

        Raises:
            TypeError: Questions or contexts are no strings.
            ValueError: They are not as many, a context is empty or too long, or a number is not positive.
        """
        longest = self.max_answer if max_answer_len is None else max_answer_len
        null = self.null if handle_impossible_answer is None else handle_impossible_answer
        if min(longest, top_k) < 1:
            raise ValueError(f"top_k and max_answer_len must be at least 1. Received: {top_k} and {longest}.")
        pairs, one = read_questions(inputs, question, context)
        found: list[Any] = []
        for chunk in chunks(pairs, _CHUNK):
            for (_, text), offsets, windows in self._read(chunk):
                answers = best_answers(windows, max_answer=longest, null=null, top_k=top_k)
                entries = [answer_entry(text, offsets, answer) for answer in answers]
                if not entries:  # of characters that the tokenizer throws away
                    raise ValueError(_EMPTY)
                found.append(entries if top_k > 1 else entries[0])
        return found[0] if one else found

    def rows(self, inputs: Sequence[Any]) -> list[Row]:
        """What the graph reads of questions with contexts: a row a window, in order.

        Args:
            inputs: A list of {"question", "context"}.
        """
        pairs, _ = read_questions(check_texts(inputs), None, None)
        return [
            window.row
            for encoding in encode_whole(self.tokenizer, pairs, pairs=True)
            for window in self._windows(encoding)
        ]

    def _read(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[tuple[str, str], np.ndarray, list[WindowLogits]]]:
        """For each question with its context: both, the offsets of the context's tokens, and the logits by window."""
        encodings = encode_whole(self.tokenizer, pairs, pairs=True)
        windows = [self._windows(encoding) for encoding in encodings]
        results = iter(self.graph.run_all([window.row for each in windows for window in each], OUTPUTS))
        return [
            (pair, context_offsets(encoding), [window_logits(window, next(results)) for window in each])
            for pair, encoding, each in zip(pairs, encodings, windows, strict=True)
        ]

    def _windows(self, encoding: tokenizers.Encoding) -> list[Window]:
        return cut_windows(encoding, self.preprocessing.max_length, self.stride)


def read_questions(inputs: Any, question: Any, context: Any) -> tuple[list[tuple[str, str]], bool]:
    """Questions with their contexts, in whichever way they were given, and whether it is one alone."""
    if inputs is not None:
        one = isinstance(inputs, Mapping)
        given = [inputs] if one else check_texts(inputs)
        if not all(isinstance(entry, Mapping) and {"question", "context"} <= set(entry) for entry in given):
            raise TypeError("Each question must be an object with 'question' and 'context'. Received: something else.")
        questions, contexts = [entry["question"] for entry in given], [entry["context"] for entry in given]
    else:
        one = isinstance(question, str)
        questions = [question] if one else list(check_texts(question))
        contexts = [context] * len(questions) if isinstance(context, str) else list(check_texts(context))
    if len(questions) != len(contexts):
        raise ValueError(f"Each question needs a context. Received: {len(questions)} and {len(contexts)}.")
    questions = [check_text(text, "A question") for text in questions]
    contexts = [check_text(text, "A context") for text in contexts]
    if not all(text.strip() for text in contexts):
        raise ValueError(_EMPTY)
    return list(zip(questions, contexts, strict=True)), one

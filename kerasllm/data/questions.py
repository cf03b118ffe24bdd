"""Questions on a context, with their answers: stretches of it, or none.

Nothing is cleaned: answers count characters of the context as the source has it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .files import Table
from .sources import DataConfig, read_tables
from .splits import held_out, limited, overlap_notes, refuse_unread, require_train, with_validation

_COLUMNS = {"question": ("question", "query"), "context": ("context", "passage", "paragraph"), "answers": ("answers",)}


class TrueAnswer(NamedTuple):
    """An answer, as somebody marked it."""

    text: str
    """Its words."""
    start: int
    """Where in the context they begin, in characters; -1: they are not in it."""


@dataclass(frozen=True)
class QuestionSplit:
    """Questions with their contexts.

    Attributes:
        questions: One string an example.
        contexts: What to read for each of them.
        answers: The answers of each; none where the context does not answer it.
    """

    questions: list[str]
    contexts: list[str]
    answers: list[tuple[TrueAnswer, ...]]

    def __len__(self) -> int:
        return len(self.questions)

    def take(self, rows: np.ndarray) -> "QuestionSplit":
        """The examples at the indices `rows`, in that order."""
        columns = (self.questions, self.contexts, self.answers)
        return QuestionSplit(*([column[row] for row in rows] for column in columns))


@dataclass(frozen=True, kw_only=True)
class QuestionDataset:
    """Questions in splits.

    Attributes:
        name: Where they came from, for people.
        splits: "train", "validation" and, where the source has one, "test".
        notes: What reading did that its user should know, a sentence each.
    """

    name: str
    splits: dict[str, QuestionSplit] = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 over questions, contexts and answers: the same content, wherever it lies, has the same digest."""
        digest = hashlib.sha256()
        for name in sorted(self.splits):
            split = self.splits[name]
            digest.update(f"\n{name} {len(split)}\n".encode())
            for question, context, answers in zip(split.questions, split.contexts, split.answers, strict=True):
                digest.update(repr((question, context, [tuple(answer) for answer in answers])).encode())
        return digest.hexdigest()


def load_questions(config: DataConfig) -> QuestionDataset:
    """Reads a source to train on, in the form of SQuAD.

    The columns are "question", "context" and "answers": {"text": [...], "answer_start": [...]} or a list of {"text",
    "answer_start"}, in characters; without answers the question cannot be answered. An answer that does not lie where
    the source says is looked for in the context, and the occurrence nearest to there is taken. Where there is no
    validation split, the questions of a tenth of the training contexts become one, drawn by the seed.

    Args:
        config: The source; `text_column`, `pair_column` and `label_column` name the columns of questions, contexts and
            answers where they are called otherwise.

    Returns:
        The examples; training questions whose answers are not in their context are left out.

    Raises:
        FileNotFoundError: There is no such source, or it has no training split.
        ValueError: A column is missing, or a row cannot be read; the message says which.
    """
    notes: list[str] = []
    splits = _read(config, "train", notes)
    require_train(splits, config.source)
    splits["train"] = _answerable(splits["train"], config, notes)
    if "validation" not in splits:
        train = splits["train"]
        drawn = held_out(train.contexts, config.seed)
        splits = with_validation(splits, drawn)
        notes.append(f"Took {drawn.sum():,} of {len(train):,} training questions, on other contexts, for validation.")
    splits = limited(splits, config)
    asked = {name: list(zip(split.questions, split.contexts, strict=True)) for name, split in splits.items()}
    return QuestionDataset(name=config.source, splits=splits, notes=(*notes, *overlap_notes(asked)))


def load_questions_for_evaluation(config: DataConfig) -> QuestionDataset:
    """Reads a source to score a model that was trained on other data: nothing is drawn, a lone file is the test split.

    Args:
        config: As for `load_questions`.

    Raises:
        FileNotFoundError: There is no such source.
        ValueError: As for `load_questions`.
    """
    notes: list[str] = []
    splits = limited(_read(config, "test", notes), config)
    return QuestionDataset(name=config.source, splits=splits, notes=tuple(notes))


def _answerable(train: QuestionSplit, config: DataConfig, notes: list[str]) -> QuestionSplit:
    """The training questions with an answer that is in its context, or with none at all."""
    usable = [not answers or any(answer.start >= 0 for answer in answers) for answers in train.answers]
    kept = np.flatnonzero(usable)
    if not len(kept):
        raise ValueError(
            f"Answers must lie in their contexts. Received: the train split of {config.source}, where none does."
        )
    if len(kept) < len(train):
        notes.append(f"Dropped {len(train) - len(kept):,} of {len(train):,} training questions: answer not in context.")
    return train.take(kept)


def _read(config: DataConfig, lone_split: str, notes: list[str]) -> dict[str, QuestionSplit]:
    """The source's own splits."""
    refuse_unread(config)
    return {name: _split(table, name, config, notes) for name, table in read_tables(config, lone_split).items()}


def _split(table: Table, name: str, config: DataConfig, notes: list[str]) -> QuestionSplit:
    where = f"the {name} split of {config.source}"
    asked = (config.text_column, config.pair_column, config.label_column)
    options = ("--text-column", "--pair-column", "--label-column")
    columns = [
        table[_choose(table, given, kind, option, where)]
        for kind, given, option in zip(_COLUMNS, asked, options, strict=True)
    ]
    split, moved, row = QuestionSplit([], [], []), 0, 0
    for row, (question, context, given) in enumerate(zip(*columns, strict=True), start=1):
        place = f"in row {row:,} of {where}"
        question, context = _text(question, "question", place), _text(context, "context", place)
        marked = _answers(given, place)
        if not question.strip() or not context.strip():
            continue
        split.questions.append(question)
        split.contexts.append(context)
        found = tuple(_located(context, answer) for answer in marked)
        moved += found != marked
        split.answers.append(found)
    if not len(split):
        raise ValueError(f"Data must hold at least one question. Received: {where}, where every one is empty.")
    if len(split) < row:
        notes.append(f"Dropped {row - len(split):,} of {row:,} questions of {where}: no question or no context.")
    if moved:
        notes.append(f"{moved:,} of {len(split):,} questions of {where} had an answer elsewhere than marked.")
    return split


def _choose(table: Table, asked: str | None, kind: str, option: str, where: str) -> str:
    found = next((name for name in ((asked,) if asked else _COLUMNS[kind]) if name in table), None)
    if found is None:
        raise ValueError(
            f"Questions need a column {asked or kind!r}. Received: {where} with the columns {', '.join(table)}. "
            f"Name the right one with {option}."
        )
    return found


def _text(value: Any, kind: str, place: str) -> str:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"A {kind} must be a text. Received: {value!r:.60} {place}.")
    return value or ""


def _answers(given: Any, place: str) -> tuple[TrueAnswer, ...]:
    """The answers as the source has them."""
    texts: Any
    starts: Any
    if isinstance(given, Mapping):
        texts, starts = given.get("text"), given.get("answer_start")
    elif given is None or (_is_list(given) and all(isinstance(entry, Mapping) for entry in given)):
        texts, starts = ([entry.get(key) for entry in given or ()] for key in ("text", "answer_start"))
    else:
        texts = starts = None
    if not _is_list(texts) or not _is_list(starts) or len(texts) != len(starts):
        raise ValueError(
            'Answers must be {"text": [...], "answer_start": [...]} of one length, or a list of such pairs. '
            f"Received: {given!r:.80} {place}."
        )
    for text, start in zip(texts, starts, strict=True):
        if not isinstance(text, str) or not isinstance(start, int | np.integer) or isinstance(start, bool):
            raise ValueError(
                f"An answer must be a text and a whole number of characters. Received: {text!r:.60}, {start!r} {place}."
            )
    return tuple(TrueAnswer(text, int(start)) for text, start in zip(texts, starts, strict=True))


def _located(context: str, answer: TrueAnswer) -> TrueAnswer:
    """The answer where it is in the context: as marked, else at the occurrence nearest to there."""
    if answer.text.strip() and answer.start >= 0 and context.startswith(answer.text, answer.start):
        return answer
    places, start = [], context.find(answer.text) if answer.text.strip() else -1
    while start >= 0:
        places.append(start)
        start = context.find(answer.text, start + 1)
    return TrueAnswer(answer.text, min(places, key=lambda place: abs(place - answer.start), default=-1))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)

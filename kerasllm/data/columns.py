"""Columns to texts and classes: which column is which, and what its values mean."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .files import Table

TEXT_NAMES = (
    *("text", "sentence", "review", "content", "document", "comment", "message", "utterance", "tweet", "body"),
    *("description", "question", "title"),
)
LABEL_NAMES = (
    *("label", "labels", "class", "category", "sentiment", "intent", "target", "topic", "emotion", "rating"),
    *("stars", "tag", "tags"),
)
# First and second texts of tasks on two, where no column has one of the names above.
PAIR_NAMES = (("sentence1", "sentence2"), ("text1", "text2"), ("premise", "hypothesis"), ("text_a", "text_b"))
_WHOLE_NUMBER = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Examples:
    """Texts and the classes that their source gives them.

    Attributes:
        texts: One string an example.
        classes: The classes of each example, as the source writes them (the number 1 is "1").
        several: Whether the source can give an example more or fewer classes than one.
        called: What the source calls a class, where it has both numbers and names.
        pairs: The second text of each example, for tasks on two texts.
    """

    texts: list[str]
    classes: list[tuple[str, ...]]
    several: bool = False
    called: dict[str, str] = field(default_factory=dict)
    pairs: list[str] | None = None

    def take(self, rows: list[int]) -> "Examples":
        """The examples at the indices `rows`."""
        pairs = None if self.pairs is None else [self.pairs[row] for row in rows]
        classes = [self.classes[row] for row in rows]
        return replace(self, texts=[self.texts[row] for row in rows], classes=classes, pairs=pairs)

    def renamed(self, called: dict[str, str]) -> "Examples":
        """The same examples, with each class that `called` has under its name there."""
        return replace(self, classes=[tuple(called.get(name, name) for name in names) for names in self.classes])


def examples(
    table: Table,
    where: str,
    *,
    text: str | None = None,
    pair: str | None = None,
    label: str | None = None,
    separator: str | None = None,
) -> Examples:
    """Takes the texts and classes out of a table.

    A column of numbers LABEL may have their names beside it, in a column LABEL_name.

    Args:
        table: Columns of one length.
        where: What to call the table in an error.
        text: The column of texts; guessed if not named.
        pair: The column of second texts; none if not named, unless the columns are called as those of two texts are.
        label: The column of labels; guessed if not named.
        separator: Splits a label that is a string into several.

    Raises:
        ValueError: There is no such column, or a value in it is no text or no label.
    """
    label_column = _choose(table, label, LABEL_NAMES, "label", where)
    if text is None and pair is None:
        text, pair = next((names for names in PAIR_NAMES if all(name in table for name in names)), (None, None))
    text_column = _choose(table, text, TEXT_NAMES, "text", where, taken=label_column)
    texts = _texts(table, text_column, where)
    pairs = None if pair is None else _texts(table, _choose(table, pair, (), "pair", where), where)
    values = table[label_column]
    classes = [_classes(value, separator, row, label_column, where) for row, value in enumerate(values, start=1)]
    several = separator is not None or any(_is_list(value) for value in values)
    return Examples(texts, classes, several, _called(classes, table.get(f"{label_column}_name")), pairs)


def in_order(classes: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Every class once, sorted: as numbers if all of them are whole numbers, else as strings."""
    names = {name for several in classes for name in several}
    numeric = all(_WHOLE_NUMBER.fullmatch(name) for name in names)
    return tuple(sorted(names, key=int if numeric else None))


def as_labels(given: Examples, names: tuple[str, ...], multi_label: bool, where: str) -> np.ndarray:
    """Classes to numbers.

    Args:
        given: The examples.
        names: Every class that there is; its place is its index.
        multi_label: Whether an example may have any number of classes.
        where: What to call the examples in an error.

    Returns:
        int64 [examples], or float32 0/1 [examples, classes] if multi-label.

    Raises:
        ValueError: A class is none of `names`.
    """
    index = {name: number for number, name in enumerate(names)}
    unknown = next((name for several in given.classes for name in several if name not in index), None)
    if unknown is not None:
        known = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
        raise ValueError(
            f"Every label must be one of the training labels: {known}. Received: {unknown!r} in {where}. "
            "Correct it, or add examples of it to the training split."
        )
    if not multi_label:
        if any(len(several) != 1 for several in given.classes):
            raise ValueError(
                f"Every example must have exactly one label here. Received: lists of labels in {where}. "
                "Use data with one label each, or a multi-label model."
            )
        return np.array([index[several[0]] for several in given.classes], dtype=np.int64)
    labels = np.zeros((len(given.classes), len(names)), np.float32)
    for row, several in enumerate(given.classes):
        labels[row, [index[name] for name in several]] = 1
    return labels


def _choose(
    table: Table, asked: str | None, names: tuple[str, ...], kind: str, where: str, taken: str | None = None
) -> str:
    """The column asked for, or the first that has a usual name, or the only one that is left."""
    if asked is not None and asked in table:
        return asked
    if asked is None:
        lower = {column.strip().lower(): column for column in table if column != taken}
        found = next((lower[name] for name in names if name in lower), None)
        if found is None and taken is not None and len(lower) == 1:
            found = next(iter(lower.values()))
        if found is not None:
            return found
    wanted = f"the column {asked!r}" if asked is not None else f"a {kind} column such as {', '.join(names[:3])}"
    raise ValueError(
        f"Data must have {wanted}. Received: {where} with the columns {', '.join(table)}. "
        f"Name the right one with --{kind}-column."
    )


def _called(classes: list[tuple[str, ...]], names: list[Any] | None) -> dict[str, str]:
    """What `names`, a column beside the classes, calls each of them; nothing unless it is one name a class."""
    pairs: set[tuple[str, str]] = set()
    for numbers, value in zip(classes, names or [], strict=False):
        beside = value if _is_list(value) else [value]
        if len(beside) != len(numbers) or not all(isinstance(name, str) and name for name in beside):
            return {}
        pairs.update(zip(numbers, beside, strict=True))
    called = dict(pairs)
    return called if len(pairs) == len(called) == len(set(called.values())) else {}


def _texts(table: Table, column: str, where: str) -> list[str]:
    return [_text(value, row, column, where) for row, value in enumerate(table[column], start=1)]


def _text(value: Any, row: int, column: str, where: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise ValueError(
        f"Texts must be strings. Received: {value!r:.60} in row {row:,}, column {column}, of {where}. "
        "Name the column of texts with --text-column."
    )


def _classes(value: Any, separator: str | None, row: int, column: str, where: str) -> tuple[str, ...]:
    if _is_list(value):
        parts = value
    elif separator is not None and isinstance(value, str):
        parts = [part for part in value.split(separator) if part.strip()]
    else:
        parts = [value]
    names = tuple(_class_name(part) for part in parts)
    if any(not name for name in names):
        raise ValueError(
            f"Every example must have a label, a name or a whole number. Received: {value!r:.60} "
            f"in row {row:,}, column {column}, of {where}."
        )
    return names


def _class_name(value: Any) -> str:
    """A label as a string; the empty one for what can't be a label."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float) and value.is_integer():  # whole numbers beside a gap, as pandas writes them
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int | np.integer) else ""


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)

"""Texts with named stretches: words with a tag each, or texts with spans, brought into one form.

Nothing is cleaned: spans count characters of the text as the source has it.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ..serving.spans import OUTSIDE, Span, bio_spans, trim
from .columns import TEXT_NAMES
from .files import Table
from .sources import DataConfig, read_tables
from .splits import held_out, limited, overlap_notes, refuse_unread, require_train, with_validation

_TEXT_COLUMNS = ("tokens", "words", *TEXT_NAMES)
_LABEL_COLUMNS = ("tags", "ner_tags", "spans", "entities", "slots", "labels")
_NAME_KEYS = ("label", "name", "entity_group", "entity", "type")
# Prefixes of the schemes that say more than BIO: end or last, single or unit, middle.
_AS_BIO = {"B": "B", "I": "I", "E": "I", "L": "I", "M": "I", "S": "B", "U": "B"}
_PREFIXED = re.compile(r"[BIELMSU]-.")


@dataclass(frozen=True)
class TaggedSplit:
    """Texts with the spans in them.

    Attributes:
        texts: One string an example.
        spans: Its spans, `start` and `end` in characters, in order; no two overlap.
        words: Where the words of the source lie in each text, int64 [words, 2] in characters; None: it gave texts.
    """

    texts: list[str]
    spans: list[tuple[Span, ...]]
    words: list[np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> "TaggedSplit":
        """The examples at the indices `rows`, in that order."""
        words = None if self.words is None else [self.words[row] for row in rows]
        return TaggedSplit([self.texts[row] for row in rows], [self.spans[row] for row in rows], words)


@dataclass(frozen=True, kw_only=True)
class TaggedDataset:
    """Texts with named spans in splits.

    Attributes:
        name: Where they came from, for people.
        labels: What a word can be labelled, as BIO: "O", then "B-" and "I-" of every name.
        splits: "train", "validation" and, where the source has one, "test".
        notes: What reading did that its user should know, a sentence each.
    """

    name: str
    labels: tuple[str, ...]
    splits: dict[str, TaggedSplit] = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 over names, texts and spans: the same content, wherever it lies, has the same digest."""
        digest = hashlib.sha256(repr(self.labels).encode())
        for name in sorted(self.splits):
            split = self.splits[name]
            digest.update(f"\n{name} {len(split)}\n".encode())
            for row, text in enumerate(split.texts):
                words = None if split.words is None else split.words[row].tolist()
                digest.update(repr((text, [tuple(span) for span in split.spans[row]], words)).encode())
        return digest.hexdigest()


def load_tagged(config: DataConfig) -> TaggedDataset:
    """Reads a source to train on.

    An example is a list of words with as many tags (columns such as "tokens" and "tags"), or a text with spans
    (columns such as "text" and "spans") of [start, end, name] or {"start", "end", "label"}, in characters. Words are
    joined by spaces. Tags are read as the CoNLL-2000 evaluation and seqeval read them, so an "I-" with nothing to go on
    with begins a span; BIOES and BILOU become BIO. Names are those of the training split, sorted. Where there is no
    validation split, a tenth of the training texts becomes one, drawn by the seed.

    Args:
        config: The source; `text_column` and `label_column` name the columns where they cannot be guessed.

    Returns:
        The examples, those without a word left out.

    Raises:
        FileNotFoundError: There is no such source, or it has no training split.
        ValueError: A column is missing, or a row cannot be read; the message says which.
    """
    notes: list[str] = []
    splits = _read(config, "train", notes)
    require_train(splits, config.source)
    if "validation" not in splits:
        train = splits["train"]
        drawn = held_out(train.texts, config.seed)
        splits = with_validation(splits, drawn)
        notes.append(f"Took {drawn.sum():,} of {len(train):,} training texts for validation: there is no such split.")
    splits = limited(splits, config)
    names = sorted({span.name for spans in splits["train"].spans for span in spans})
    if not names:
        raise ValueError(f"Data to train on must hold a span. Received: {config.source}, where every word is outside.")
    notes += overlap_notes({name: split.texts for name, split in splits.items()})
    labels = (OUTSIDE, *(f"{prefix}-{name}" for name in names for prefix in "BI"))
    _check_names(splits, labels, config)
    return TaggedDataset(name=config.source, labels=labels, splits=splits, notes=tuple(notes))


def load_tagged_for_evaluation(config: DataConfig, labels: Sequence[str]) -> TaggedDataset:
    """Reads a source to score a model that was trained on other data: nothing is drawn, a lone file is the test split.

    Args:
        config: As for `load_tagged`.
        labels: The model's labels, as BIO.

    Raises:
        FileNotFoundError: There is no such source.
        ValueError: As for `load_tagged`, or a span has a name that the model does not know.
    """
    notes: list[str] = []
    splits = limited(_read(config, "test", notes), config)
    _check_names(splits, labels, config)
    return TaggedDataset(name=config.source, labels=tuple(labels), splits=splits, notes=tuple(notes))


def span_names(labels: Iterable[str]) -> tuple[str, ...]:
    """The names that BIO labels speak of, each once, in their order."""
    return tuple(dict.fromkeys(label.split("-", 1)[-1] for label in labels if label != OUTSIDE))


def _check_names(splits: Mapping[str, TaggedSplit], labels: Sequence[str], config: DataConfig) -> None:
    known = set(span_names(labels))
    for split, given in splits.items():
        unknown = next((span.name for spans in given.spans for span in spans if span.name not in known), None)
        if unknown is not None:
            raise ValueError(
                f"Every span must have one of the training names: {', '.join(sorted(known))}. Received: {unknown!r} "
                f"in the {split} split of {config.source}. Correct it, or add examples of it to the training split."
            )


def _read(config: DataConfig, lone_split: str, notes: list[str]) -> dict[str, TaggedSplit]:
    """The source's own splits."""
    refuse_unread(config)
    return {name: _split(table, name, config, notes) for name, table in read_tables(config, lone_split).items()}


def _split(table: Table, name: str, config: DataConfig, notes: list[str]) -> TaggedSplit:
    where = f"the {name} split of {config.source}"
    text_column = _choose(table, config.text_column, _TEXT_COLUMNS, "text", where)
    label_column = _choose(table, config.label_column, _LABEL_COLUMNS, "label", where)
    texts, labels = table[text_column], table[label_column]
    tagged = any(_is_list(value) for value in texts)
    split = _from_words(texts, labels, where, notes) if tagged else _from_texts(texts, labels, where)
    kept = np.array([row for row, text in enumerate(split.texts) if text.strip()], np.int64)
    if not len(kept):
        raise ValueError(f"Data must hold at least one text. Received: {where}, where every one is empty.")
    if len(kept) < len(split):
        notes.append(f"Dropped {len(split) - len(kept):,} of {len(split):,} examples of the {name} split: no words.")
        split = split.take(kept)
    return split


def _choose(table: Table, asked: str | None, names: tuple[str, ...], kind: str, where: str) -> str:
    found = next((name for name in ((asked,) if asked else names) if name in table), None)
    if found is None:
        wanted = f"the column {asked!r}" if asked else f"a {kind} column such as {', '.join(names[:3])}"
        raise ValueError(
            f"Data must have {wanted}. Received: {where} with the columns {', '.join(table)}. "
            f"Name the right one with --{kind}-column."
        )
    return found


def _from_words(words: list[Any], tags: list[Any], where: str, notes: list[str]) -> TaggedSplit:
    """Lists of words with lists of tags: the text is the words with spaces between."""
    rows = [_checked(*pair, row, where) for row, pair in enumerate(zip(words, tags, strict=True), start=1)]
    found = {tag for _, given in rows for tag in given} - {OUTSIDE}
    longer = all(map(_PREFIXED.match, found)) and any(tag[0] not in "BI" for tag in found)
    split = TaggedSplit([], [], [])
    begun = 0
    for given, labels in rows:
        if longer:
            labels = [label if label == OUTSIDE else _AS_BIO[label[0]] + label[1:] for label in labels]
        ends = np.cumsum([len(word) + 1 for word in given], dtype=np.int64) - 1
        bounds = np.stack([ends - [len(word) for word in given], ends], axis=1).reshape(-1, 2)
        spans = bio_spans(labels)
        begun += sum(labels[span.start].startswith("I-") for span in spans)
        split.texts.append(" ".join(given))
        split.spans.append(tuple(_in_characters(spans, bounds)))
        split.words.append(bounds)  # type: ignore[union-attr]
    if begun:
        notes.append(f"{begun:,} spans of {where} begin with I-: they are read as if it were B-.")
    return split


def _checked(words: Any, tags: Any, row: int, where: str) -> tuple[list[str], list[str]]:
    """Words and tags of a row, if they are that."""
    for values, kind in ((words, "words"), (tags, "tags")):
        if not _is_list(values) or not all(isinstance(value, str) for value in values):
            raise ValueError(
                f"The {kind} of a row must be a list of strings. Received: {values!r:.60} in row {row:,} of {where}."
            )
    if len(words) != len(tags):
        raise ValueError(
            f"Every word must have a tag. Received: {len(words)} words with {len(tags)} tags in row {row:,} of {where}."
        )
    if not all(tag and tag not in ("B-", "I-") for tag in tags):
        raise ValueError(f"A tag must have a name. Received: an empty one in row {row:,} of {where}. Outside is O.")
    return list(words), list(tags)


def _in_characters(spans: Iterable[Span], words: np.ndarray) -> Iterable[Span]:
    """Spans of words as spans of characters; one of empty words alone is none."""
    for name, start, end in spans:
        first, last = int(words[start, 0]), int(words[end - 1, 1])
        if first < last:
            yield Span(name, first, last)


def _from_texts(texts: list[Any], spans: list[Any], where: str) -> TaggedSplit:
    """Texts with spans in characters."""
    split = TaggedSplit([], [])
    for row, (text, given) in enumerate(zip(texts, spans, strict=True), start=1):
        place = f"in row {row:,} of {where}"
        if not isinstance(text, str):
            raise ValueError(f"A text must be a string, or a list of words. Received: {text!r:.60} {place}.")
        if given is not None and not _is_list(given):
            raise ValueError(f"Spans must be a list. Received: {given!r:.60} {place}.")
        found = sorted((_span(text, each, place) for each in given or ()), key=lambda span: span.start)
        for before, after in pairwise(found):
            if after.start < before.end:
                raise ValueError(
                    f"Spans of a text must not overlap: a word has one label. Received: {tuple(before)} and "
                    f"{tuple(after)} {place}. Keep one of them."
                )
        split.texts.append(text)
        split.spans.append(tuple(found))
    return split


def _span(text: str, given: Any, place: str) -> Span:
    """One span, without white space at its ends."""
    if isinstance(given, Mapping):
        name = next((given[key] for key in _NAME_KEYS if key in given), None)
        given = [given.get("start"), given.get("end"), name]
    if not _is_list(given) or len(given) != 3 or not _is_span(*given):
        raise ValueError(
            f"A span must be [start, end, name], or an object with start, end and label. "
            f"Received: {given!r:.80} {place}."
        )
    start, end, name = given
    if not 0 <= start < end <= len(text) or not text[start:end].strip():
        raise ValueError(
            f"A span must hold characters of its text, from start to before end. Received: {start} to {end} of "
            f"{len(text)} characters {place}."
        )
    return Span(name, *trim(text, start, end))


def _is_span(start: Any, end: Any, name: Any) -> bool:
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in (start, end))
    return whole and isinstance(name, str) and bool(name)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)

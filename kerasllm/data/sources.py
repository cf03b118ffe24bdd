"""One door to every source of labelled texts."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .augmentation import AugmentationConfig, augment
from .cleaning import clean
from .columns import Examples, as_labels, examples, in_order
from .dataset import Split, TextDataset
from .files import Table, read_folder, read_table
from .reviews import reviews
from .splits import VALIDATION_SHARE, limited, require_train, with_validation
from .tfds import read_tfds


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which labelled texts, and what is done to them before they become tokens."""

    source: str
    """builtin:reviews, tfds:NAME/CONFIG, or a file or folder: csv, tsv, jsonl, parquet, txt, conll, json (also .gz)."""
    text_column: str | None = None
    """The column of texts, where its name can't be guessed."""
    pair_column: str | None = None
    """The column of second texts, for a task on two texts, where its name can't be guessed."""
    label_column: str | None = None
    """The column of labels, where its name can't be guessed."""
    label_separator: str | None = None
    """Splits a label into several, for instance "|": multi-label."""
    tfds_folder: Path | None = None
    """Where prepared tensorflow-datasets lie (default: TFDS_DATA_DIR, then tfds's own)."""
    clean: bool = True
    """Clean texts: HTML remnants, control characters, white space, Unicode NFC."""
    drop_overlap: bool = False
    """Drop training texts that occur in validation or test too (they're always counted)."""
    limit: int | None = None
    """Use at most so many examples of each split, drawn by the seed: for a quick try."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """Altered copies of training texts."""
    seed: int = 0
    """For whatever is drawn by chance: the limit, a validation split, augmentation."""

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 2:
            raise ValueError(f"`limit` must leave at least 2 examples. Received: {self.limit}.")


def load_dataset(config: DataConfig) -> TextDataset:
    """Reads a source to train on.

    A single file is the training split. Where there's no validation split, a tenth of the training examples of every
    class becomes one, drawn by the seed. Classes are sorted by name, or by number if all of them are whole numbers.

    Args:
        config: The source, and what to do to its texts.

    Returns:
        Splits "train", "validation" and, if the source has it, "test".

    Raises:
        FileNotFoundError: There is no such source, or it has no training split.
        ValueError: The source can't be used as it is; the message says why and where.
    """
    dataset = _read(config)
    if len(dataset.labels) < (1 if dataset.multi_label else 2):
        raise ValueError(
            "Data to train on must have at least two classes (one if multi-label). Received: "
            f"{config.source} with {', '.join(dataset.labels) or 'none'}. "
            "Add examples of another class, or name the right --label-column."
        )
    if "validation" not in dataset.splits:
        dataset = _carve_validation(dataset, config.seed)
    dataset = replace(dataset, splits=limited(dataset.splits, config))
    dataset = _report_overlap(dataset, config.drop_overlap)
    splits = {**dataset.splits, "train": augment(dataset.splits["train"], config.augmentation, config.seed)}
    return replace(dataset, splits=splits)


def load_for_evaluation(config: DataConfig, labels: Sequence[str], multi_label: bool = False) -> TextDataset:
    """Reads a source to score a model that was trained on other data.

    Nothing is carved off or augmented, one class is enough, and a single file is the test split.

    Args:
        config: The source, and what to do to its texts.
        labels: The model's classes, in its order.
        multi_label: Whether the model gives a text any number of classes.

    Returns:
        The source's splits, with the model's class indices.

    Raises:
        FileNotFoundError: There is no such source.
        ValueError: It holds a label that the model doesn't know, or can't be used as it is.
    """
    dataset = _read(config, lone_split="test", labels=tuple(labels), multi_label=multi_label)
    return replace(dataset, splits=limited(dataset.splits, config))


def _read(
    config: DataConfig, *, lone_split: str = "train", labels: tuple[str, ...] = (), multi_label: bool = False
) -> TextDataset:
    """The source's own splits, cleaned; with `labels` as classes, or those of the training split."""
    notes: list[str] = []
    found: dict[str, Examples] = {}
    for split, table in read_tables(config, lone_split).items():
        given = _examples(table, split, config, notes)
        if given is not None:
            found[split] = given
    called = next(iter(found.values())).called if found else {}
    if not labels:
        require_train(found, config.source)
        multi_label = any(given.several for given in found.values())
        labels = tuple(called.get(name, name) for name in in_order(found["train"].classes))
    splits = {
        split: Split(
            given.texts, as_labels(given.renamed(called), labels, multi_label, _where(config, split)), given.pairs
        )
        for split, given in found.items()
    }
    return TextDataset(name=config.source, labels=labels, multi_label=multi_label, splits=splits, notes=tuple(notes))


def read_tables(config: DataConfig, lone_split: str = "train") -> dict[str, Table]:
    """The source's own splits as columns, nothing taken out of them yet; a lone file is `lone_split`."""
    kind, _, name = config.source.partition(":")
    if kind == "builtin":
        return _builtin(name, config.seed)
    if kind == "tfds":
        return read_tfds(name, config.tfds_folder)
    path = Path(config.source)
    return read_folder(path) if path.is_dir() else {lone_split: read_table(path)}


def _builtin(name: str, seed: int) -> dict[str, Table]:
    if name != "reviews":
        raise ValueError(f"The one built-in source is builtin:reviews. Received: builtin:{name}.")
    dataset = reviews(seed)
    return {
        split: {"text": examples.texts, "label": [dataset.labels[label] for label in examples.labels]}
        for split, examples in dataset.splits.items()
    }


def _examples(table: Table, split: str, config: DataConfig, notes: list[str]) -> Examples | None:
    """A split's cleaned examples without empty texts; None for a split whose labels are kept secret (-1)."""
    where = _where(config, split)
    columns = {"text": config.text_column, "pair": config.pair_column, "label": config.label_column}
    given = examples(table, where, **columns, separator=config.label_separator)
    if split != "train" and all(classes == ("-1",) for classes in given.classes):
        notes.append(f"Left out the {split} split: its labels are all -1, not given.")
        return None
    if config.clean:
        pairs = None if given.pairs is None else [clean(text) for text in given.pairs]
        given = replace(given, texts=[clean(text) for text in given.texts], pairs=pairs)
    texts = given.texts
    kept = [row for row, text in enumerate(texts) if text and not text.isspace()]
    if not kept:
        raise ValueError(f"Data must hold at least one text. Received: {where}, where every text is empty.")
    if len(kept) < len(texts):
        notes.append(f"Dropped {len(texts) - len(kept):,} of {len(texts):,} examples of the {split} split: empty text.")
    return given.take(kept)


def _where(config: DataConfig, split: str) -> str:
    return f"the {split} split of {config.source}"


def _carve_validation(dataset: TextDataset, seed: int) -> TextDataset:
    """Moves a tenth of the training examples, of every class alike, to a validation split."""
    train = dataset.splits["train"]
    chance = np.random.default_rng(seed).random(len(train))
    classes = train.labels.argmax(axis=1) if dataset.multi_label else train.labels
    by_class = np.lexsort((chance, classes))
    drawn = np.zeros(len(train), bool)
    drawn[by_class[min(VALIDATION_SHARE, len(train)) - 1 :: VALIDATION_SHARE]] = True
    note = f"Took {drawn.sum():,} of {len(train):,} training examples for validation: the source has no such split."
    return replace(dataset, splits=with_validation(dataset.splits, drawn), notes=(*dataset.notes, note))


def _report_overlap(dataset: TextDataset, drop: bool) -> TextDataset:
    """Notes how many texts of the other splits are in train too, and takes them out of it if asked to."""
    train, notes = dataset.splits["train"], list(dataset.notes)
    known, shared = set(_contents(train)), set()
    for name, split in dataset.splits.items():
        common = [content for content in _contents(split) if content in known] if name != "train" else []
        if common:
            shared.update(common)
            notes.append(f"{len(common):,} of {len(split):,} {name} texts are in the training split too.")
    if len(known) < len(train):
        notes.append(f"{len(train) - len(known):,} of {len(train):,} training texts repeat another one.")
    splits = dataset.splits
    if drop and shared:
        kept = [row for row, content in enumerate(_contents(train)) if content not in shared]
        notes.append(f"Dropped {len(train) - len(kept):,} training examples for that.")
        splits = {**splits, "train": train.take(np.array(kept, dtype=np.int64))}
    return replace(dataset, splits=splits, notes=tuple(notes))


def _contents(split: Split) -> list[tuple[str, ...]]:
    """The one or two texts of each example."""
    return list(zip(split.texts, strict=True) if split.pairs is None else zip(split.texts, split.pairs, strict=True))

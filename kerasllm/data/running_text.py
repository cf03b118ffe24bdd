"""Running text to pretrain on: files to documents."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from .cleaning import clean
from .columns import TEXT_NAMES
from .files import read_table, read_text

Document = list[str]  # its passages
AnyDocument = TypeVar("AnyDocument")
_HELD_OUT = 20  # one document in so many is validation where no other text is named
_TITLE = re.compile(r"\s*= (?!= )[^=].* =\s*")  # "= Title =", but not "= = Section = =" or "== Section =="


@dataclass(frozen=True, kw_only=True)
class RunningTextConfig:
    """Which texts to pretrain on, and what a document of them is."""

    texts: tuple[Path, ...]
    """Files of running text (.txt, also .gz), or tables with a document a row (csv, tsv, jsonl, parquet, also .gz)."""
    validation: Path | None = None
    """A file of held-out text (default: one document in twenty, drawn by the seed)."""
    documents: Literal["paragraph", "article", "file"] = "paragraph"
    """What a document of a text file is: what stands between blank lines, what follows "= Title =", or all of it."""
    text_column: str | None = None
    """The column of texts of a table, where its name can't be guessed."""
    clean: bool = True
    """Clean texts: HTML remnants, control characters, white space, Unicode NFC."""
    limit: int | None = None
    """Use at most so many documents of each split, the first ones: for a quick try."""
    seed: int = 0
    """Draws the documents that are held out."""

    def __post_init__(self) -> None:
        if not self.texts:
            raise ValueError("Pretraining needs texts. Received: no file. Name at least one.")
        if self.limit is not None and self.limit < 2:
            raise ValueError(f"`limit` must leave at least 2 documents. Received: {self.limit}.")


def read_documents(config: RunningTextConfig) -> dict[str, list[Document]]:
    """Reads the texts.

    Returns:
        The documents of "train" and of "validation"; a document is its passages that are not empty.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A file cannot be read, or holds too few documents to hold one out.
    """
    train = [document for path in config.texts for document in _documents(Path(path), config)]
    if config.validation is not None:
        splits = {"train": train, "validation": list(_documents(Path(config.validation), config))}
    else:
        splits = held_out(train, config)
    for name, documents in splits.items():
        if not documents:
            raise ValueError(f"Texts must hold at least one document. Received: none for {name}.")
    return {name: documents[: config.limit] for name, documents in splits.items()}


def fingerprint(splits: Mapping[str, list[Document]]) -> str:
    """A sha256 over the documents: the same content has the same digest."""
    digest = hashlib.sha256()
    for name in sorted(splits):
        for document in splits[name]:
            data = "\n".join(document).encode("utf-8", "surrogatepass")
            digest.update(f"\n{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def _documents(path: Path, config: RunningTextConfig) -> Iterator[Document]:
    """The documents of a file, empty ones left out."""
    if not path.is_file():
        raise FileNotFoundError(f"A text must be a file. Received: {path}, where there is none.")
    if is_table(path):
        found: Iterable[Document] = ([text or ""] for text in texts_of_table(path, config))
    else:
        found = split_lines(read_text(path).split("\n"), config.documents)
    for document in found:
        passages = [clean(passage) if config.clean else passage for passage in document]
        passages = [passage for passage in passages if passage and not passage.isspace()]
        if passages:
            yield passages


def split_lines(lines: list[str], kind: str) -> Iterator[Document]:
    """The documents of a text file's lines; no line is left out."""
    document: Document = []
    for line in lines:
        ends = not line.strip() if kind == "paragraph" else kind == "article" and _TITLE.fullmatch(line)
        if ends and document:
            yield document
            document = []
        document.append(line)
    yield document


def is_table(path: Path) -> bool:
    """Whether a file holds a document a row, not lines of text."""
    return Path(path.name.lower().removesuffix(".gz")).suffix in (".csv", ".tsv", ".jsonl", ".parquet")


def texts_of_table(path: Path, config: RunningTextConfig) -> list[str | None]:
    """The column of texts of a table."""
    table = read_table(path)
    wanted = (config.text_column,) if config.text_column else TEXT_NAMES
    column = next((name for name in wanted if name in table), None)
    if column is None:
        raise ValueError(
            f"A table of texts must have the column {wanted[0]!r}. Received: {path} with {', '.join(table)}. "
            "Name the right one with --text-column."
        )
    return table[column]


def held_out(documents: list[AnyDocument], config: RunningTextConfig) -> dict[str, list[AnyDocument]]:
    """One document in twenty, at least one, becomes validation."""
    if len(documents) < 2:
        raise ValueError(
            f"Held-out text must be of other documents. Received: {len(documents)} in all. "
            "Name a file with --validation, or another kind of --documents."
        )
    count = max(1, len(documents) // _HELD_OUT)
    drawn = set(np.random.default_rng(config.seed).permutation(len(documents))[:count].tolist())
    return {
        "train": [document for index, document in enumerate(documents) if index not in drawn],
        "validation": [document for index, document in enumerate(documents) if index in drawn],
    }

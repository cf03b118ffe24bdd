"""Running text to pretrain on: files to documents, documents to rows of tokens, all of one length and without padding.

Rows are cut from one long stream, document after document with [SEP] between them, as in RoBERTa (Liu et al. 2019,
FULL-SENTENCES): a document that is longer than a row goes on in the next one.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from tokenizers import Tokenizer

from ..tokenizing.tokenizer import encode_all, vocab_size
from .cleaning import clean
from .columns import TEXT_NAMES
from .files import read_table, read_text

Document = list[str]  # its passages
AnyDocument = TypeVar("AnyDocument")
SPECIAL, BEGINS, CONTINUES = range(3)  # what `marks` say of a token: no word at all, a word's first piece, a later one
_HELD_OUT = 20  # one document in so many is validation where no other text is named
_TITLE = re.compile(r"\s*= (?!= )[^=].* =\s*")  # "= Title =", but not "= = Section = =" or "== Section =="
_CHUNK = 4096  # passages tokenized at once


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


@dataclass(frozen=True)
class TokenStream:
    """The tokens of many documents, one after the other, without special tokens.

    Attributes:
        ids: uint16 or int32 [tokens].
        marks: uint8 [tokens], `BEGINS` or `CONTINUES`.
        offsets: int64 [documents + 1]; document i is `ids[offsets[i]:offsets[i + 1]]`.
    """

    ids: np.ndarray
    marks: np.ndarray
    offsets: np.ndarray


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


def tokenize(documents: Sequence[Document], tokenizer: Tokenizer) -> TokenStream:
    """Documents to tokens, with the places where words begin, as the tokenizer's pre-tokenizer splits them."""
    dtype = np.uint16 if vocab_size(tokenizer) <= 2**16 else np.int32
    passages = [passage for document in documents for passage in document]
    ids, marks, lengths = [np.empty(0, dtype)], [np.empty(0, np.uint8)], []
    for start in range(0, len(passages), _CHUNK):
        for encoding in encode_all(tokenizer, passages[start : start + _CHUNK], None):
            real = np.array(encoding.special_tokens_mask) == 0
            words = np.array([-1 if word is None else word for word in encoding.word_ids], np.int64)[real]
            ids.append(np.array(encoding.ids, dtype)[real])
            marks.append(np.where(np.diff(words, prepend=-2) != 0, BEGINS, CONTINUES).astype(np.uint8))
            lengths.append(len(words))
    ends = np.cumsum([0, *lengths])
    counts = np.cumsum([0, *(len(document) for document in documents)])
    return TokenStream(np.concatenate(ids), np.concatenate(marks), ends[counts].astype(np.int64))


def pack(stream: TokenStream, start: int, end: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Full rows: the start token, a piece of the stream with `end` between documents, `end`.

    What is left over at the end of the stream, less than a row, is dropped.

    Args:
        stream: The documents' tokens.
        start: The id of [CLS].
        end: The id of [SEP].
        length: Tokens of a row, at least 3.

    Returns:
        Ids (as the stream's) and marks (uint8), both [rows, length].

    Raises:
        ValueError: There is less text than a row.
    """
    inner = length - 2
    between = stream.offsets[1:-1]
    ids = np.insert(stream.ids, between, end)
    marks = np.insert(stream.marks, between, SPECIAL)
    rows = len(ids) // inner
    if inner < 1 or rows < 1:
        raise ValueError(
            f"Text must fill at least one row of {length} tokens, 2 of them special. Received: {len(ids)} tokens. "
            "Add text, or name a smaller max_length."
        )
    bounds = ((0, 0), (1, 1))
    return (
        np.pad(ids[: rows * inner].reshape(rows, inner), bounds, constant_values=((0, 0), (start, end))),
        np.pad(marks[: rows * inner].reshape(rows, inner), bounds, constant_values=SPECIAL),
    )


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

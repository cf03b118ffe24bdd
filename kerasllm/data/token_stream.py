"""Running text as token arrays on disk: tokenized once, a chunk at a time, then only read."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike
from rich.progress import TaskProgressColumn
from tokenizers import Encoding, Tokenizer

from ..progress import progress_bar
from ..tokenizing.tokenizer import encode_all, id_dtype, tokenizer_json
from .array_cache import array_cache, write_chunks

SPECIAL, BEGINS, CONTINUES = range(3)  # what `marks` say of a token: no word at all, a word's first piece, a later one
Documents = Sequence[Sequence[str]]  # the texts of each
_FORMAT = 1  # goes into the key: raise it when the arrays' meaning changes
_CHUNK = 2**21  # characters tokenized at once: some long pieces, so that cores have work; 100 MB of encodings
_LINES = 4096  # lines of a text tokenized together: long texts are cut at their ends, which pairs seldom cross
_LINE_END = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")  # as `str.splitlines` has them


@dataclass(frozen=True)
class TokenStream:
    """The tokens of documents one after the other, a separator before each of them and one after the last.

    Attributes:
        ids: uint16 or int32 [tokens], memory-mapped; document i is `ids[starts[i] + 1 : starts[i + 1]]`.
        starts: int64 [documents + 1], memory-mapped: the places of the separators, ascending.
        marks: uint8 [tokens], memory-mapped: `SPECIAL` at separators, `BEGINS` and `CONTINUES` as the tokenizer's
            pre-tokenizer splits words; empty where nobody asked.
    """

    ids: np.ndarray
    starts: np.ndarray
    marks: np.ndarray = field(default_factory=partial(np.empty, 0, np.uint8))


def token_stream(
    documents: Documents, tokenizer: Tokenizer, separator: int, folder: Path | None = None, *, words: bool = False
) -> TokenStream:
    """Running text as tokens, from the cache where the same was tokenized before.

    Args:
        documents: Each of one text or several, which are tokenized one by one.
        tokenizer: What makes tokens of them; the special tokens that it puts around a text are left out. It is left
            without truncation.
        separator: The id of the token between documents.
        folder: Where the cache lies, see `array_cache`.
        words: Give the stream its `marks`.

    Returns:
        The tokens; while they are made, a bar shows how far that is, and no more than a chunk of them is in memory.
    """
    key = ("stream", _FORMAT, _digest(documents), tokenizer_json(tokenizer), separator, words)
    return TokenStream(**array_cache(key, lambda entry: _write(entry, documents, tokenizer, separator, words), folder))


def _digest(documents: Documents) -> str:
    digest = hashlib.sha256()
    for texts in documents:
        digest.update(f"\n{len(texts)}\n".encode())
        for text in texts:
            data = text.encode("utf-8", "surrogatepass")
            digest.update(f"{len(data)}\n".encode())
            digest.update(data)
    return digest.hexdigest()


def _write(folder: Path, documents: Documents, tokenizer: Tokenizer, separator: int, words: bool) -> None:
    dtypes: dict[str, DTypeLike] = {"ids": id_dtype(tokenizer), "starts": np.int64}
    dtypes |= {"marks": np.uint8} if words else {}
    with progress_bar(TaskProgressColumn()) as bar:
        task = bar.add_task("tokenizing", total=sum(len(text) for texts in documents for text in texts))
        chunks = _chunks(documents, tokenizer, separator, words, partial(bar.advance, task))
        write_chunks(folder, dtypes, chunks)


def _chunks(
    documents: Documents, tokenizer: Tokenizer, separator: int, words: bool, advance: Callable[[int], None]
) -> Iterator[dict[str, np.ndarray]]:
    """What `TokenStream` holds, piece by piece; `advance` is told the characters of each."""
    place = 0
    for pieces in _together(_pieces(documents)):
        chunk = _tokenized(pieces, tokenizer, separator, words)
        chunk["starts"] += place
        place += len(chunk["ids"])
        yield chunk
        advance(sum(len(piece or "") for piece in pieces))


def _tokenized(
    pieces: Sequence[str | None], tokenizer: Tokenizer, separator: int, words: bool
) -> dict[str, np.ndarray]:
    encodings = iter(encode_all(tokenizer, [piece for piece in pieces if piece is not None], None))
    alone = np.array([separator]), np.array([SPECIAL])
    parts = [alone if piece is None else _tokens(next(encodings), words) for piece in pieces]
    ends = np.cumsum([len(ids) for ids, _ in parts])
    chunk = {
        "ids": np.concatenate([ids for ids, _ in parts]),
        "starts": ends[[piece is None for piece in pieces]] - 1,
    }
    return chunk | {"marks": np.concatenate([marks for _, marks in parts])} if words else chunk


def _tokens(encoding: Encoding, words: bool) -> tuple[np.ndarray, np.ndarray]:
    """Ids and, where words are asked for, marks, both [tokens], without the tokenizer's own special tokens."""
    real = np.array(encoding.special_tokens_mask) == 0
    ids = np.array(encoding.ids, np.int32)[real]
    if not words:
        return ids, np.empty(0, np.uint8)
    places = np.array([-1 if word is None else word for word in encoding.word_ids], np.int64)[real]
    return ids, np.where(np.diff(places, prepend=-2) != 0, BEGINS, CONTINUES)


def _together(pieces: Iterable[str | None]) -> Iterator[list[str | None]]:
    """As many pieces at once as a chunk holds, at least one."""
    chunk: list[str | None] = []
    room = _CHUNK
    for piece in pieces:
        chunk.append(piece)
        room -= 1 + len(piece or "")
        if room <= 0:
            yield chunk
            chunk, room = [], _CHUNK
    if chunk:
        yield chunk


def _pieces(documents: Documents) -> Iterator[str | None]:
    """What is tokenized alone, in order; None stands for a separator."""
    for texts in documents:
        yield None
        for text in texts:
            yield from _cut(text)
    yield None


def _cut(text: str) -> Iterator[str]:
    """A text, whole where it has few lines."""
    start = 0
    for end in islice((match.end() for match in _LINE_END.finditer(text)), _LINES - 1, None, _LINES):
        yield text[start:end]
        start = end
    if start < len(text) or not text:
        yield text[start:]

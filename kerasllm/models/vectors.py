"""Initial embeddings from word2vec and GloVe files.

Formats: word2vec text (a line "count width", then "word v1 v2 ..." a line), word2vec binary (the same first line, then
for each word its bytes, a space, and little-endian float32), GloVe (the text form without the first line).
"""

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from ..tokenizing.tokenizer import pad_id, vocab_size

_LONGEST_WORD = 10_000  # bytes: a binary file with a longer one is not one


def initial_vectors(path: Path, tokenizer: Tokenizer, width: int, seed: int = 0) -> tuple[np.ndarray, float]:
    """An embedding table for the tokenizer's vocabulary.

    Tokens that the file does not know are drawn at random, spread as the known ones are; the padding token is zeros.

    Args:
        path: A word2vec file (binary if it is named .bin or .bin.gz) or a GloVe file; also .gz.
        tokenizer: Its tokens are looked up as they are written in its vocabulary.
        width: Numbers a vector must have, the classifier's `embedding_dim`.
        seed: Of the random ones.

    Returns:
        float32 [vocab_size, width], and the share of the vocabulary that the file knows, 0 to 1.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is malformed, has another width, or knows no token at all.
    """
    ids = tokenizer.get_vocab(with_added_tokens=True)
    known: dict[int, np.ndarray] = {}
    for word, vector in read_vectors(path):
        if len(vector) != width:
            raise ValueError(
                f"`embedding_dim` must be the width of the vectors, {len(vector)} in {path}. Received: {width}. "
                f"Set embedding_dim to {len(vector)}."
            )
        if word in ids:
            known.setdefault(ids[word], vector)  # the first of equal words: files are sorted by frequency
    if not known:
        raise ValueError(f"A file of vectors must know a token of the vocabulary. Received: {path}, which knows none.")
    rows = np.stack(list(known.values()))
    table = np.random.default_rng(seed).normal(rows.mean(), rows.std(), (vocab_size(tokenizer), width))
    table[list(known)] = rows
    table[pad_id(tokenizer)] = 0
    return table.astype(np.float32), len(known) / len(ids)


def read_vectors(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The words of a file with their vectors, float32 [width], one at a time.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is malformed: the message says where.
    """
    if not path.is_file():
        raise FileNotFoundError(f"`vectors` must be a word2vec or GloVe file. Received: {path}, where there is none.")
    binary = ".bin" in path.suffixes
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from (_read_binary if binary else _read_text)(path, file)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _malformed(path, f"it cannot be unpacked ({error})") from error


def _read_text(path: Path, file: BufferedIOBase) -> Iterator[tuple[str, np.ndarray]]:
    width = 0
    for number, line in enumerate(file, 1):
        if number == 1 and _header(line):
            continue
        width = width or len(line.split()) - 1
        # From the right: some of GloVe's words hold spaces.
        word, *values = line.rstrip().decode("utf-8", "replace").rsplit(" ", width)
        try:
            vector = np.array(values, np.float32)
        except ValueError:
            vector = np.empty(0, np.float32)
        if width == 0 or len(vector) != width or not np.isfinite(vector).all():
            raise _malformed(path, f"line {number} is not a word and {width or 'some'} finite numbers")
        yield word, vector
    if not width:
        raise _malformed(path, "it holds no vector")


def _read_binary(path: Path, file: BufferedIOBase) -> Iterator[tuple[str, np.ndarray]]:
    header = _header(file.readline(100))
    if header is None:
        raise _malformed(path, "a binary file starts with a line of two numbers, how many words and how wide")
    count, width = header
    for number in range(1, count + 1):
        word = _word(file)
        data = file.read(4 * width)
        vector = np.frombuffer(data, "<f4") if len(data) == 4 * width else None
        if word is None or vector is None or not np.isfinite(vector).all():
            raise _malformed(path, f"word {number} of {count} is not a word and {width} finite numbers")
        yield word, vector


def _word(file: BufferedIOBase) -> str | None:
    """The bytes up to the next space; None where the file ends first. Some writers put a line break before a word."""
    word = bytearray()
    while (byte := file.read(1)) != b" ":
        if not byte or len(word) > _LONGEST_WORD:
            return None
        word += byte
    return word.lstrip(b"\n").decode("utf-8", "replace")


def _header(line: bytes) -> tuple[int, int] | None:
    """(words, width) if the line is word2vec's first one."""
    parts = line.split()
    if len(parts) == 2 and parts[0].isdigit() and parts[1].isdigit():
        return int(parts[0]), int(parts[1])
    return None


def _malformed(path: Path, what: str) -> ValueError:
    return ValueError(
        f"`vectors` must be a word2vec file (text, or binary named .bin) or a GloVe file. Received: {path}, but {what}."
    )

"""Files of labelled texts, read into columns: csv, tsv, jsonl, parquet, txt, conll and json, each also .gz.

- csv: RFC 4180, with a header. tsv: the same with tabs and, as its registration has it, without quoting.
- jsonl: an object a line. parquet: any flat table.
- txt: a line an example, `label<TAB>text`, or fastText's `__label__x __label__y text`.
- conll: a token a line with its tag. json: questions, as SQuAD has them.

Text is UTF-8, with or without a byte order mark. Lines of jsonl and txt end at "\\n" only: other line separators of
Unicode occur inside texts.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Collection
from itertools import takewhile
from pathlib import Path
from typing import Any

from ..extras import require
from .conll import parse_conll
from .squad import parse_squad

Table = dict[str, list[Any]]  # column name -> values, all of one length

_SPLITS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}


def find_splits(names: Collection[str]) -> dict[str, list[str]]:
    """Sorts names into "train", "validation" (also valid, val, dev) and "test", by what stands before the first dot."""
    found: dict[str, list[str]] = {}
    for split, aliases in _SPLITS.items():
        matching = sorted(name for name in names if name.lower().partition(".")[0] in aliases)
        if matching:
            found[split] = matching
    return found


def read_folder(folder: Path) -> dict[str, Table]:
    """Reads the files of a folder that are named after splits.

    Raises:
        FileNotFoundError: None is.
        ValueError: Two files claim the same split, or one can't be read.
    """
    readable = [path.name for path in folder.iterdir() if _suffix(path) in _READERS]
    found = find_splits(readable)
    if not found:
        raise FileNotFoundError(
            "A folder of data must hold files named train, validation or test, "
            f"in one of {', '.join(_READERS)} (.gz). Received: {folder} with {_some(readable)}."
        )
    for split, names in found.items():
        if len(names) > 1:
            raise ValueError(
                f"A folder must hold one file a split. Received: {' and '.join(names)} for {split} in {folder}. "
                "Move all but one away."
            )
    return {split: read_table(folder / names[0]) for split, names in found.items()}


def read_table(path: Path) -> Table:
    """Reads one file.

    Args:
        path: A file with a known suffix.

    Returns:
        Its columns; at least one row.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: An unknown suffix, or content that is broken or empty; the message says where.
    """
    if not path.is_file():
        raise FileNotFoundError(
            "A data source must be builtin:NAME, tfds:NAME, or an existing file or folder. "
            f"Received: {path}, where there is none."
        )
    suffix = _suffix(path)
    if suffix not in _READERS:
        raise ValueError(
            f"A data file must be one of {', '.join(_READERS)} (each also .gz). Received: {path}. "
            "Convert it, or rename it if the suffix misleads."
        )
    table = _READERS[suffix](_read_bytes(path), path)
    if not any(table.values()):
        raise ValueError(f"A data file must hold at least one example. Received: {path}, which holds none.")
    return table


def read_text(path: Path) -> str:
    """The whole text of a UTF-8 file (.gz too), without a byte order mark."""
    return _decode(_read_bytes(path), path)


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _read_bytes(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix.lower() != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"A .gz file must be whole. Received: {path}, broken: {error}. Copy it again.") from error


def _decode(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"Text must be UTF-8. Received: byte 0x{data[error.start]:02x} at offset {error.start:,} "
            f"(line {line:,}) of {path}. Convert the file, for instance with iconv -t UTF-8."
        ) from error


def _read_csv(data: bytes, path: Path) -> Table:
    return _delimited(path, csv.reader(io.StringIO(_decode(data, path), newline=""), strict=True))


def _read_tsv(data: bytes, path: Path) -> Table:
    lines = io.StringIO(_decode(data, path), newline="")
    return _delimited(path, csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def _delimited(path: Path, reader: Any) -> Table:
    """Rows under a header; every row as wide as the header, empty lines aside."""
    try:
        header: list[str] = next(reader, [])
        rows = []
        for row in reader:
            if row and len(row) != len(header):
                raise ValueError(
                    f"Every row must have as many fields as the header, {len(header)} ({', '.join(header)}). "
                    f"Received: {len(row)} in line {reader.line_num:,} of {path}. Quote texts that hold a separator."
                )
            if row:
                rows.append(row)
    except csv.Error as error:
        raise ValueError(
            f"Fields must be well formed. Received: {error}, line {reader.line_num:,} of {path}."
        ) from error
    return {name: [row[index] for row in rows] for index, name in enumerate(header)}


def _read_jsonl(data: bytes, path: Path) -> Table:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(_decode(data, path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"Every line must be JSON. Received: line {number:,} of {path}: {error}.") from error
        if not isinstance(row, dict):
            raise ValueError(f"Every line must be a JSON object. Received: {line[:60]!r}, line {number:,} of {path}.")
        rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _read_parquet(data: bytes, path: Path) -> Table:
    parquet, arrow = require("train", "pyarrow.parquet"), require("train", "pyarrow")
    try:
        return parquet.read_table(arrow.BufferReader(data)).to_pydict()
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"A parquet file must be whole. Received: {path}, broken: {error}.") from error


def _read_txt(data: bytes, path: Path) -> Table:
    texts: list[str] = []
    labels: list[Any] = []
    for number, line in enumerate(_decode(data, path).split("\n"), start=1):
        if not line.strip():
            continue
        words = line.split()
        tags = list(takewhile(lambda word: word.startswith("__label__"), words))
        if tags:
            names = [tag.removeprefix("__label__") for tag in tags]
            labels.append(names if len(names) > 1 else names[0])
            texts.append(" ".join(words[len(tags) :]))
        elif "\t" in line:
            label, _, text = line.partition("\t")
            labels.append(label)
            texts.append(text)
        else:
            raise ValueError(
                "Every line of a txt file must be label<TAB>text, or __label__x text. "
                f"Received: {line[:60]!r}, line {number:,} of {path}."
            )
    return {"text": texts, "label": labels}


def _read_conll(data: bytes, path: Path) -> Table:
    return parse_conll(_decode(data, path), path)


def _read_squad(data: bytes, path: Path) -> Table:
    return parse_squad(_decode(data, path), path)


def _some(names: list[str]) -> str:
    return ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "") if names else "no data file"


_READERS: dict[str, Callable[[bytes, Path], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
    ".txt": _read_txt,
    ".conll": _read_conll,
    ".json": _read_squad,
}

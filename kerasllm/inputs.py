"""What a served BUNDLE is asked on the command line: from arguments, a file or standard input, for every task."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def read_inputs(texts: Iterable[str], file: Path | None = None, *, pair: bool = False) -> list[Any]:
    """The inputs of the one place that they come from.

    Args:
        texts: Arguments.
        file: A UTF-8 file with a text a line, or, where its name ends in .jsonl, a JSON string or object a line.
        pair: Whether inputs are pairs of texts: arguments are then taken two by two, and lines are cut at their tab.

    Returns:
        A string an input, or a tuple of two for pairs; objects of a .jsonl file as they are.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: There is nothing, or it comes from two places, or cannot be read as texts.
    """
    given = list(texts)
    if given and file:
        raise ValueError("Texts must come from one place. Received: both arguments and --file. Leave one out.")
    if given:
        return _pairs_of_arguments(given) if pair else given
    if file:
        lines: list[Any] = read_texts(file)
        if file.suffix == ".jsonl":
            return [_parse(line, number, file) for number, line in enumerate(lines, 1)]
    elif sys.stdin is None or sys.stdin.isatty():
        raise ValueError("There is no text. Give texts as arguments, with --file, or on standard input.")
    else:
        lines = _lines(sys.stdin.buffer.read(), "standard input")
    return [_cut(line, number) for number, line in enumerate(lines, 1)] if pair else lines


def read_texts(file: Path) -> list[str]:
    """The lines of a UTF-8 file, one at least."""
    if not file.is_file():
        raise FileNotFoundError(f"There is no file of texts at {file}.")
    texts = _lines(file.read_bytes(), str(file))
    if not texts:
        raise ValueError(f"A file of texts must hold one at least. Received: {file}, which is empty.")
    return texts


def _lines(data: bytes, where: str) -> list[str]:
    """Lines end at a line feed only: other separators occur within texts."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"Texts must be UTF-8. Received: {where} with other bytes in line {line}.") from None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines and not lines[-1] else lines


def _pairs_of_arguments(texts: list[str]) -> list[Any]:
    if len(texts) % 2:
        raise ValueError(
            f"The model reads pairs of texts, so arguments must come two by two. Received: {len(texts)} of them."
        )
    return list(zip(texts[::2], texts[1::2], strict=True))


def _cut(line: str, number: int) -> tuple[str, str]:
    parts = line.split("\t")
    if len(parts) != 2:
        raise ValueError(
            "The model reads pairs of texts, so a line must hold two with a tab between them. "
            f"Received: {len(parts) - 1} tabs in line {number}."
        )
    return parts[0], parts[1]


def _parse(line: str, number: int, file: Path) -> Any:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, (str, dict)):
        raise ValueError(
            f"A line of {file} must be a JSON string or object. Received: something else in line {number}."
        )
    return value

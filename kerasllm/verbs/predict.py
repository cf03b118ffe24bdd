"""`kerasllm predict`: label texts with a BUNDLE."""

import json as json_format
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def predict(
    bundle: Path,
    *texts: str,
    file: Path | None = None,
    variant: str | None = None,
    threads: int | None = None,
    providers: str | None = None,
    top_k: int = 1,
    json: bool = False,
) -> None:
    """Label texts with a BUNDLE.

    Texts are given as arguments, one a line in a file, or one a line on standard input.

    Args:
        bundle: The bundle folder.
        texts: Texts to label.
        file: A UTF-8 file with a text a line.
        variant: fp32, int8 or another that the bundle has (default: the bundle's own).
        threads: Threads to compute with (default: every core that this process may use).
        providers: cpu or cuda (default: CUDA where there is a device, else the CPU).
        top_k: Labels to give for each text, best first.
        json: Print a JSON line a text.
    """
    from ..serving import load

    classifier = load(bundle, variant=variant, threads=threads, providers=providers)
    given = _texts(texts, file)
    answers = classifier(given, top_k=top_k)
    for text, scores in zip(given, answers, strict=True):
        if json:
            print(json_format.dumps({"text": text, "labels": scores}, ensure_ascii=False))
        else:
            _print_line(text, scores)


def _texts(texts: Iterable[str], file: Path | None) -> list[str]:
    """The texts of the one place that they come from."""
    given = list(texts)
    if given and file:
        raise ValueError("Texts must come from one place. Received: both arguments and --file. Leave one out.")
    if given:
        return given
    if file:
        return read_texts(file)
    if sys.stdin is None or sys.stdin.isatty():
        raise ValueError("There is no text to label. Give texts as arguments, with --file, or on standard input.")
    return _lines(sys.stdin.buffer.read(), "standard input")


def read_texts(file: Path) -> list[str]:
    """The lines of a UTF-8 file."""
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


def _print_line(text: str, scores: list[dict[str, Any]]) -> None:
    """The label and score, tab-separated, then the text: easy to read and to cut."""
    best = "\t".join(f"{entry['label']}\t{entry['score']:.4f}" for entry in scores)
    print(f"{best}\t{text}")

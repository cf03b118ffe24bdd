"""Running text for decoders, to the letter: what they read is what they learn to write, line breaks and all."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .cleaning import clean
from .files import read_text
from .running_text import RunningTextConfig, held_out, is_table, split_lines, texts_of_table

_VALIDATION_SHARE = 0.1  # of a text that is one document


@dataclass(frozen=True, kw_only=True)
class PlainTextConfig(RunningTextConfig):
    """Which texts a decoder learns to write, and what a document of them is."""

    validation: Path | None = None
    """A file of held-out text (default: one document in twenty, drawn by the seed; of a single one its last tenth)."""
    documents: Literal["paragraph", "article", "file"] = "file"
    """What a document of a text file is: what stands between blank lines, what follows "= Title =", or all of it."""
    clean: bool = False
    """Clean texts, line by line: HTML remnants, control characters, white space, Unicode NFC."""


def read_plain_texts(config: PlainTextConfig) -> dict[str, list[str]]:
    """Reads the texts.

    Returns:
        The documents of "train" and of "validation", none of them blank.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A file cannot be read, or holds no text.
    """
    train = [text for path in config.texts for text in _documents(Path(path), config)]
    if config.validation is not None:
        splits = {"train": train, "validation": list(_documents(Path(config.validation), config))}
    elif len(train) == 1:
        end = int(len(train[0]) * (1 - _VALIDATION_SHARE))
        splits = {"train": [train[0][:end]], "validation": [train[0][end:]]}
    else:
        splits = held_out(train, config)
    for name, documents in splits.items():
        if not any(documents):
            raise ValueError(f"Texts must hold at least one document. Received: none for {name}.")
    return {name: documents[: config.limit] for name, documents in splits.items()}


def _documents(path: Path, config: RunningTextConfig) -> Iterator[str]:
    if not path.is_file():
        raise FileNotFoundError(f"A text must be a file. Received: {path}, where there is none.")
    if is_table(path):
        found = [(text or "").split("\n") for text in texts_of_table(path, config)]
    else:
        found = list(split_lines(read_text(path).split("\n"), config.documents))
    for lines in found:
        text = "\n".join(clean(line) if config.clean else line for line in lines)
        text = text.strip("\n") if config.documents == "paragraph" else text
        if text and not text.isspace():
            yield text

"""CoNLL files: a token a line with its tag, an empty line after each sentence."""

from pathlib import Path
from typing import Any


def parse_conll(text: str, path: Path) -> dict[str, list[Any]]:
    """Reads the first and the last column.

    Columns stand apart by tabs, or where a line has none by white space. Lines that begin with -DOCSTART- are left out.

    Args:
        text: The content of a file.
        path: What to call it in an error.

    Returns:
        Columns "tokens" and "tags", lists of strings, a sentence each.

    Raises:
        ValueError: A line has fewer than two columns, or not as many as the first.
    """
    tokens: list[list[str]] = [[]]
    tags: list[list[str]] = [[]]
    width = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            if tokens[-1]:
                tokens.append([])
                tags.append([])
            continue
        columns = line.strip("\r").split("\t") if "\t" in line else line.split()
        width = width or len(columns)
        if len(columns) != width or width < 2:
            raise ValueError(
                "Every line of a CoNLL file must hold a token and its tag, and as many columns as the first. "
                f"Received: {line[:60]!r}, line {number:,} of {path}."
            )
        tokens[-1].append(columns[0].strip())
        tags[-1].append(columns[-1].strip())
    sentences = [place for place, sentence in enumerate(tokens) if sentence]
    return {"tokens": [tokens[place] for place in sentences], "tags": [tags[place] for place in sentences]}

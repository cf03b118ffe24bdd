"""Files of questions as SQuAD publishes them (Rajpurkar et al. 2016 and 2018): articles, paragraphs, questions."""

import json
from pathlib import Path
from typing import Any

_COLUMNS = ("id", "title", "context", "question", "answers")


def parse_squad(text: str, path: Path) -> dict[str, list[Any]]:
    """Reads a question a row.

    Args:
        text: The content of a file.
        path: What to call it in an error.

    Returns:
        Columns "id", "title", "context", "question" and "answers": {"text": [...], "answer_start": [...]}, both empty
        where there is no answer.

    Raises:
        ValueError: It is no JSON, or JSON of another kind.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"A json file must be JSON. Received: {path}: {error}.") from error
    try:
        rows = [
            (entry.get("id"), article.get("title"), paragraph["context"], entry["question"], _answers(entry))
            for article in content["data"]
            for paragraph in article["paragraphs"]
            for entry in paragraph["qas"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "A json file must be as SQuAD has it: data, paragraphs, context, qas, question, answers. "
            f"Received: {path}, which is not. Put a row a line into a .jsonl file instead."
        ) from error
    return {name: [row[place] for row in rows] for place, name in enumerate(_COLUMNS)}


def _answers(entry: dict[str, Any]) -> dict[str, list[Any]]:
    """The answers of a question; those of one that cannot be answered are only plausible, and none."""
    answers = [] if entry.get("is_impossible") else entry["answers"]
    return {name: [answer[name] for answer in answers] for name in ("text", "answer_start")}

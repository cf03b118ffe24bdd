"""What a folder of Hugging Face says of writing with its decoder: which tokens begin and end a text, and dialogues."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from .settings import read_json


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """How a decoder begins and ends its texts."""

    eos_token_ids: tuple[int, ...]
    """Any of these tokens ends a text."""
    bos_token_id: int | None
    """The token that begins a text, if there is one."""
    add_bos: bool
    """Whether texts begin with it."""
    chat_template: str | None
    """The Jinja template that makes a dialogue a text."""


def read_generation_settings(folder: Path, tokenizer: Tokenizer) -> GenerationSettings:
    """Reads generation_config.json, config.json, tokenizer_config.json and chat_template.jinja, those that are there.

    Args:
        folder: A folder of Hugging Face.
        tokenizer: Its tokenizer.

    Raises:
        ValueError: A file is broken, or names a token that the tokenizer does not have.
    """
    files = [_optional(folder / name) for name in ("generation_config.json", "config.json")]
    words = _optional(folder / "tokenizer_config.json")
    ends = _ids("eos_token", files, words, tokenizer, folder)
    begin = next(iter(_ids("bos_token", files, words, tokenizer, folder)), None)
    # What the tokenizer does itself is what the decoder was trained with.
    first = tokenizer.encode("a").ids[:1]
    return GenerationSettings(
        eos_token_ids=tuple(ends),
        bos_token_id=begin,
        add_bos=begin is not None and first == [begin],
        chat_template=_template(folder, words),
    )


def _ids(
    name: str, files: list[dict[str, Any]], words: dict[str, Any], tokenizer: Tokenizer, folder: Path
) -> list[int]:
    """The ids of a special token: of the first file that says them, else that of the word that the tokenizer names."""
    said = next((file[f"{name}_id"] for file in files if file.get(f"{name}_id") is not None), None)
    if said is None:
        word = words.get(name)
        word = word.get("content") if isinstance(word, dict) else word
        said = None if word is None else tokenizer.token_to_id(str(word))
    ids = said if isinstance(said, list) else [] if said is None else [said]
    known = set(tokenizer.get_vocab(with_added_tokens=True).values())
    wrong = [number for number in ids if not isinstance(number, int) or number not in known]
    if wrong:
        raise ValueError(
            f"The {name} of a folder must be a token of its tokenizer. Received: {name}_id {wrong[0]!r} in {folder}."
        )
    return ids


def _template(folder: Path, words: dict[str, Any]) -> str | None:
    """Newer folders have a file of it; older ones a text, or several by name."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    found = words.get("chat_template")
    if isinstance(found, list):
        named = {item.get("name"): item.get("template") for item in found if isinstance(item, dict)}
        found = named.get("default")
    return found if isinstance(found, str) else None


def _optional(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}

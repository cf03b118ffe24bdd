"""Dialogues and instructions: messages of a user and of an assistant, whose answers a decoder learns."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .cleaning import clean
from .files import Table
from .sources import DataConfig, read_tables
from .splits import held_out, limited, refuse_unread, require_train, with_validation

Message = dict[str, str]  # "role": "system", "user" or "assistant"; "content"
Dialogue = list[Message]

_ROLES = {"human": "user", "customer": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
_ANSWERS = ("output", "response", "completion", "answer")
_QUESTIONS = ("instruction", "prompt", "question")


@dataclass(frozen=True, kw_only=True)
class DialogueConfig(DataConfig):
    """Which dialogues, and what is done to them before they become tokens."""

    clean: bool = False
    """Clean messages: HTML remnants, control characters, white space (line breaks too), Unicode NFC."""


@dataclass(frozen=True)
class DialogueSplit:
    """Dialogues, each with at least one answer."""

    dialogues: list[Dialogue]

    def __len__(self) -> int:
        return len(self.dialogues)

    def take(self, rows: np.ndarray) -> "DialogueSplit":
        """The dialogues at the indices `rows`, in that order."""
        return DialogueSplit([self.dialogues[row] for row in rows])


@dataclass(frozen=True)
class DialogueDataset:
    """Dialogues in splits.

    Attributes:
        splits: "train", "validation" and, where the source has one, "test".
        notes: What reading did that its user should know, a sentence each.
    """

    splits: dict[str, DialogueSplit]
    notes: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """A sha256 over the messages: the same content has the same digest."""
        content = {name: split.dialogues for name, split in self.splits.items()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_dialogues(config: DataConfig) -> DialogueDataset:
    """Reads dialogues to train on.

    A row is a dialogue. Its column is "messages" or "conversations", a list of {"role", "content"} (or "from",
    "value"); or "turns", a list of [speaker, text], where whoever speaks first is the user unless named otherwise; or
    an instruction ("instruction", "prompt" or "question", perhaps with an "input" and a "system") with its answer
    ("output", "response", "completion" or "answer"). Where there is no validation split, a tenth becomes one.

    Args:
        config: The source.

    Returns:
        The dialogues, those without an answer left out.

    Raises:
        FileNotFoundError: There is no such source, or it has no training split.
        ValueError: It holds no dialogues, or one is broken; the message says where.
    """
    refuse_unread(config)
    notes: list[str] = []
    splits = {name: _split(table, name, config, notes) for name, table in read_tables(config).items()}
    require_train(splits, config.source)
    if "validation" not in splits:
        groups = [json.dumps(dialogue) for dialogue in splits["train"].dialogues]
        splits = with_validation(splits, held_out(groups, config.seed))
    return DialogueDataset(limited(splits, config), tuple(notes))


def _split(table: Table, name: str, config: DataConfig, notes: list[str]) -> DialogueSplit:
    where = f"{config.source} ({name})"
    read = _reader(table, where)
    found = []
    for row in range(len(next(iter(table.values())))):
        dialogue = [_message(given, config, f"row {row + 1:,} of {where}") for given in read(row)]
        while dialogue and dialogue[-1]["role"] != "assistant":  # a question that nobody answers teaches nothing
            dialogue.pop()
        if any(message["role"] == "assistant" and message["content"] for message in dialogue):
            found.append(dialogue)
    if not found:
        raise ValueError(f"Dialogues must hold at least one answer. Received: {where}, which holds none.")
    missing = len(next(iter(table.values()))) - len(found)
    if missing:
        notes.append(f"{missing:,} dialogues of {name} have no answer and are left out.")
    return DialogueSplit(found)


def _reader(table: Table, where: str) -> Callable[[int], list[tuple[Any, Any]]]:
    """A function from a row to its messages, each a role and a text."""
    listed = next((name for name in ("messages", "conversations", "turns") if name in table), None)
    if listed is not None:
        return lambda row: _listed(table[listed][row], f"row {row + 1:,} of {where}")
    question = next((name for name in _QUESTIONS if name in table), None)
    answer = next((name for name in _ANSWERS if name in table), None)
    if question is None or answer is None:
        raise ValueError(
            "Dialogues must have a column messages, conversations or turns, or an instruction and an output. "
            f"Received: {where} with {', '.join(table)}."
        )
    return lambda row: _instruction(table, row, question, answer)


def _instruction(table: Table, row: int, question: str, answer: str) -> list[tuple[Any, Any]]:
    """One question, what it is about below it, and its answer."""
    more = table["input"][row] if "input" in table else None
    asked = f"{table[question][row]}\n{more}" if more else table[question][row]
    system = table["system"][row] if "system" in table else None
    return [*([("system", system)] if system else []), ("user", asked), ("assistant", table[answer][row])]


def _listed(given: Any, place: str) -> list[tuple[Any, Any]]:
    """The messages of a list; those of speakers with other names alternate, the user first."""
    if not isinstance(given, list | tuple | np.ndarray):
        raise ValueError(f"A dialogue must be a list of messages. Received: {type(given).__name__} in {place}.")
    pairs = []
    for message in given:
        if isinstance(message, dict):
            pairs.append((message.get("role", message.get("from")), message.get("content", message.get("value"))))
        elif isinstance(message, list | tuple | np.ndarray) and len(message) == 2:
            pairs.append((message[0], message[1]))
        else:
            raise ValueError(f"A message must have a role and a content. Received: {message!r:.60} in {place}.")
    roles = [_ROLES.get(str(role), role) for role, _ in pairs]
    if "assistant" not in roles and len(set(roles)) == 2 and not any(isinstance(each, dict) for each in given):
        # Task dialogues call their two speakers user and system: the second one answers.
        roles = ["user" if role == roles[0] else "assistant" for role in roles]
    return [(role, text) for role, (_, text) in zip(roles, pairs, strict=True)]


def _message(given: tuple[Any, Any], config: DataConfig, place: str) -> Message:
    role, text = given
    if role not in ("system", "user", "assistant") or not isinstance(text, str):
        raise ValueError(
            "A message must be a text of system, user or assistant. "
            f"Received: {type(text).__name__} of {role!r} in {place}."
        )
    return {"role": role, "content": clean(text) if config.clean else text}

"""The rows that a decoder's RUN was taught with, read again to score it by, each as it stands alone."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from ..data.dialogues import DialogueConfig, load_dialogues
from ..data.document_windows import Windows
from ..data.plain_texts import PlainTextConfig, read_plain_texts
from ..data.sources import DataConfig
from ..data.token_stream import token_stream
from ..metrics.perplexity import LabelledRow
from ..run import from_settings
from ..serving.generation.dialogue import ChatTemplate
from ..serving.generation.dialogue_tokens import DialogueTokens
from ..tokenizing.chat_samples import chat_sample, fitted


def read_rows(
    config: Mapping[str, Any], tokenizer: Tokenizer, data: DataConfig | None
) -> tuple[str, dict[str, list[LabelledRow]]]:
    """Reads dialogues, of which the answers are asked for, or running text.

    Args:
        config: config.json of the RUN.
        tokenizer: Its tokenizer.
        data: Other examples; None: those of the RUN.

    Returns:
        The name of the source, and the rows of each split; other running text is "test".
    """
    length, head = config["tokenizer"]["max_length"], config["head"]
    ends: list[Any] = [tokenizer.token_to_id(token) for token in head["ends"]]
    if head["chat_template"] is not None:
        return _answers(config, tokenizer, data, length, ends)
    found = from_settings(PlainTextConfig, dict(config["data"]))
    found = replace(found, texts=tuple(map(Path, found.texts)))
    if data is None:
        documents = read_plain_texts(found)
    else:
        documents = read_texts(data, found)
    rows = {name: _windows(texts, tokenizer, ends[-1], length) for name, texts in documents.items()}
    return data.source if data else ", ".join(map(str, found.texts)), rows


def read_texts(data: DataConfig, like: PlainTextConfig | None = None) -> dict[str, list[str]]:
    """All documents of a file of running text, as "test".

    Args:
        data: The file.
        like: How the model's own texts were cut into documents.
    """
    path = Path(data.source)
    found = replace(like or PlainTextConfig(texts=(path,)), texts=(path,), validation=path, limit=data.limit)
    return {"test": read_plain_texts(found)["train"]}


def _answers(
    config: Mapping[str, Any], tokenizer: Tokenizer, data: DataConfig | None, length: int, ends: list[Any]
) -> tuple[str, dict[str, list[LabelledRow]]]:
    found = data or from_settings(DialogueConfig, dict(config["data"]))
    end = config["head"]["ends"][-1]
    template = ChatTemplate(config["head"]["chat_template"], eos_token=end, bos_token=end)
    tokens = DialogueTokens(template, tokenizer)
    rows = {}
    for name, split in load_dialogues(found).splits.items():
        samples = fitted([chat_sample(each, tokens, ends) for each in split.dialogues], length)
        rows[name] = [(ids[:-1], np.where(asked[1:], ids[1:], -1)) for ids, asked in samples]
    return found.source, rows


def _windows(texts: list[str], tokenizer: Tokenizer, end: int, length: int) -> list[LabelledRow]:
    """The windows of training, cut where documents end: attention does not cross that."""
    windows = Windows(token_stream([[text] for text in texts], tokenizer, end), length)
    rows: list[LabelledRow] = []
    for index in range(len(windows)):
        ids, labels, segments = windows.row(index, 0.0)
        cuts = np.flatnonzero(np.diff(segments)) + 1
        rows += zip(np.split(ids, cuts), np.split(labels, cuts), strict=True)
    return rows

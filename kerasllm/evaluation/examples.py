"""The examples that a RUN or a BUNDLE is scored on, read from their source: one reader a task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..data.sources import DataConfig, load_dataset, load_for_evaluation
from ..run import from_settings


@dataclass(frozen=True, kw_only=True)
class Asker:
    """What a model is scored for: what its RUN's config.json says, or as much of it as is known."""

    task: str
    """The Hugging Face name of the task."""
    labels: Sequence[str] = ()
    """Its classes."""
    multi_label: bool = False
    """Whether a text has any number of them."""
    tokenizer: Tokenizer | None = None
    """Its tokenizer, where examples are made of tokens."""
    config: Mapping[str, Any] | None = None
    """config.json of the RUN; None for a model of another origin."""


def read_examples(asker: Asker, data: DataConfig | None = None) -> tuple[str, dict[str, Any]]:
    """Reads a task's examples.

    Args:
        asker: The model in question.
        data: Where they are; None: what the model was trained on.

    Returns:
        The name of the source, and its splits by name; a lone file is "test".

    Raises:
        FileNotFoundError: There is no such source.
        ValueError: The source is not of the task's form, or none is known.
    """
    if data is None and asker.config is None:
        raise ValueError(
            "Examples must be named for a model that was not made from a run. Received: none. Say --data (to "
            "evaluate) or --validation (to export)."
        )
    return _READERS[asker.task](asker, data)


def read_held_out(asker: Asker, source: str | None) -> Any:
    """Reads the examples to judge variants by: the validation split of a source, or the one that there is.

    Args:
        asker: The model in question.
        source: Where they are; None: what the model was trained on.

    Raises:
        FileNotFoundError, ValueError: As for `read_examples`.
    """
    _, splits = read_examples(asker, None if source is None else DataConfig(source=source))
    return splits.get("validation") or splits["test"]


def _read_texts(asker: Asker, data: DataConfig | None) -> tuple[str, dict[str, Any]]:
    if data is not None:
        dataset = load_for_evaluation(data, asker.labels, asker.multi_label)
    else:
        dataset = load_dataset(_data(asker))
    return dataset.name, dataset.splits


def _read_pairs(asker: Asker, data: DataConfig | None) -> tuple[str, dict[str, Any]]:
    from ..data.pairs import load_pairs, load_pairs_for_evaluation

    if data is not None:
        return data.source, load_pairs_for_evaluation(data)
    return _data(asker).source, load_pairs(_data(asker)).splits


def _read_tagged(asker: Asker, data: DataConfig | None) -> tuple[str, dict[str, Any]]:
    from ..data.tagged import load_tagged, load_tagged_for_evaluation

    dataset = load_tagged(_data(asker)) if data is None else load_tagged_for_evaluation(data, asker.labels)
    return dataset.name, dataset.splits


def _read_questions(asker: Asker, data: DataConfig | None) -> tuple[str, dict[str, Any]]:
    from ..data.questions import load_questions, load_questions_for_evaluation

    dataset = load_questions(_data(asker)) if data is None else load_questions_for_evaluation(data)
    return dataset.name, dataset.splits


def _read_masked(asker: Asker, data: DataConfig | None) -> tuple[str, dict[str, Any]]:
    """Rows of running text with the masks that every model is scored with."""
    from ..data.masked_rows import MaskedRows
    from ..data.masking import MaskingConfig
    from ..data.running_text import RunningTextConfig, read_documents

    config = asker.config or {}
    masking = replace(from_settings(MaskingConfig, config.get("head", {})), next_sentence=False)
    if data is not None:
        texts = RunningTextConfig(texts=(Path(data.source),), clean=data.clean, limit=data.limit)
        documents = {"test": [document for split in read_documents(texts).values() for document in split]}
    else:
        texts = from_settings(RunningTextConfig, dict(config["data"]))
        texts = replace(texts, texts=tuple(map(Path, texts.texts)))
        documents = read_documents(texts)
    length = config.get("tokenizer", {}).get("max_length", 128)
    if asker.tokenizer is None:
        raise ValueError("Masked rows are made of tokens: the model's tokenizer must be given. Received: none.")
    options: dict[str, Any] = {"batch_size": 64, "max_length": length, "segments": True}
    rows = {name: MaskedRows(found, asker.tokenizer, masking, **options) for name, found in documents.items()}
    return ", ".join(map(str, texts.texts)), rows


def _read_written(asker: Asker, data: DataConfig | None) -> tuple[str, dict[str, Any]]:
    """Rows of a decoder's own run; for a model of another origin texts as they are."""
    from .decoder_rows import read_rows, read_texts

    if asker.config is None or "decoder" not in asker.config:
        if data is None:
            raise ValueError("Texts must be named for this model. Received: none. Say --data.")
        return data.source, dict(read_texts(data))
    if asker.tokenizer is None:
        raise ValueError("Rows are made of tokens: the model's tokenizer must be given. Received: none.")
    where, splits = read_rows(asker.config, asker.tokenizer, data)
    return where, dict(splits)


def _data(asker: Asker) -> DataConfig:
    return from_settings(DataConfig, dict((asker.config or {})["data"]))


_READERS: dict[str, Callable[[Asker, DataConfig | None], tuple[str, dict[str, Any]]]] = {
    "text-classification": _read_texts,
    "token-classification": _read_tagged,
    "question-answering": _read_questions,
    "feature-extraction": _read_pairs,
    "fill-mask": _read_masked,
    "text-generation": _read_written,
}

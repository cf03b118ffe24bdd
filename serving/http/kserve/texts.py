"""Texts in, what the model's task makes of them out."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...ranking import largest
from ..limits import check_count, check_rows
from ..models import ServedModel
from ..settings import ServerSettings
from .messages import Parameters
from .tensors import Tensor, strings


def read_texts(
    model: ServedModel, tensors: Mapping[str, Tensor], names: Sequence[str], settings: ServerSettings
) -> Any:
    """The texts of a request.

    Args:
        model: Whom they are for.
        tensors: BYTES by name: [texts] or [texts, 1], all of the same number.
        names: Of all inputs that there must be.
        settings: Of the server.

    Returns:
        A text each; of two inputs, a dictionary by their names each.

    Raises:
        ValueError: One is missing, is no UTF-8, or there are too many.
    """
    missing = [name for name in names if name not in tensors]
    if missing:
        raise ValueError(f"{model.name} needs {' and '.join(names)}. Received: no {missing[0]}.")
    columns = [_column(tensors[name]) for name in names]
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"There must be as many of {' as of '.join(names)}. There are not.")
    check_count(columns[0], settings)
    if len(names) == 1:
        return columns[0]
    return [dict(zip(names, each, strict=True)) for each in zip(*columns, strict=True)]


def run_texts(
    model: ServedModel, texts: Sequence[Any], parameters: Parameters, settings: ServerSettings
) -> list[Tensor]:
    """All outputs of a task of encoders.

    Args:
        model: An encoder.
        texts: As `read_texts` gives them.
        parameters: Of the request: `top_k`, `truncation`.
        settings: Of the server.

    Raises:
        ValueError: The texts, or the parameters, are too much or not allowed.
    """
    return _TASKS[model.task](model.served, texts, parameters, settings)


def _classify(served: Any, texts: Sequence[Any], parameters: Parameters, settings: ServerSettings) -> list[Tensor]:
    rows = served.rows(texts, truncation=_flag(parameters, "truncation", True))
    check_rows(rows, settings)
    scores = served.scores(rows)
    most = _whole(parameters, "top_k", len(served.labels))
    ranks = np.array([largest(row, min(most, len(row))) for row in scores])
    labels = [served.labels[place] for place in ranks.reshape(-1)]
    best = np.take_along_axis(scores, ranks, axis=1)
    return [strings("labels", labels, ranks.shape), Tensor(name="scores", datatype="FP32", values=best)]


def _embed(served: Any, texts: Sequence[Any], parameters: Parameters, settings: ServerSettings) -> list[Tensor]:
    rows = served.rows(texts, truncation=_flag(parameters, "truncation", True))
    check_rows(rows, settings)
    return [Tensor(name="embedding", datatype="FP32", values=served.vectors(rows))]


def _tag(served: Any, texts: Sequence[Any], parameters: Parameters, settings: ServerSettings) -> list[Tensor]:
    check_rows(served.rows(texts), settings)
    return [strings("entities", [json.dumps(each) for each in served(list(texts))])]


def _fill(served: Any, texts: Sequence[Any], parameters: Parameters, settings: ServerSettings) -> list[Tensor]:
    check_rows(served.rows(texts), settings)
    fills = served(list(texts), top_k=min(_whole(parameters, "top_k", 5), 1000))
    return [strings("fills", [json.dumps(each) for each in fills])]


def _answer(served: Any, texts: Sequence[Any], parameters: Parameters, settings: ServerSettings) -> list[Tensor]:
    check_rows(served.rows(texts), settings)
    found = served(list(texts))
    numbers = {"score": ("FP32", np.float32), "start": ("INT64", np.int64), "end": ("INT64", np.int64)}
    return [strings("answer", [each["answer"] for each in found])] + [
        Tensor(name=name, datatype=datatype, values=np.array([each[name] for each in found], dtype))
        for name, (datatype, dtype) in numbers.items()
    ]


_TASKS: dict[str, Callable[[Any, Sequence[Any], Parameters, ServerSettings], list[Tensor]]] = {
    "text-classification": _classify,
    "token-classification": _tag,
    "question-answering": _answer,
    "feature-extraction": _embed,
    "fill-mask": _fill,
}


def _column(tensor: Tensor) -> list[str]:
    values = tensor.values
    if values.ndim > 2 or (values.ndim == 2 and values.shape[1] != 1):
        raise ValueError(f"{tensor.name} must be [texts] or [texts, 1]. Received: {list(values.shape)}.")
    try:
        return [value.decode() for value in values.reshape(-1)]
    except UnicodeDecodeError:
        raise ValueError(f"{tensor.name} must be UTF-8. Received: bytes that are not.") from None


def _whole(parameters: Parameters, name: str, default: int) -> int:
    value = parameters.get(name, default)
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a whole number from 1. Received: {value!r:.50}.")
    return value


def _flag(parameters: Parameters, name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false. Received: {value!r:.50}.")
    return value

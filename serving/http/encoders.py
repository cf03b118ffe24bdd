"""Encoders as text-embeddings-inference serves them: /embed, /predict, /rerank, /tokenize, /decode, /info."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ... import __version__
from ..classification import TextClassifier
from .limits import check_count, check_rows
from .models import ServedModel
from .settings import ServerSettings

router = APIRouter(tags=["text-embeddings-inference"])
Token = Annotated[int, Field(ge=0, lt=2**31)]
_Ids = list[Token]
_Pair = Annotated[list[str], Field(min_length=1, max_length=2)]


class Asked(BaseModel):
    """Where several models can do it, `model` says which."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    model: str | None = Field(None, max_length=200)


class EmbedRequest(Asked):
    """Texts, and whether they are cut and their vectors made one long."""

    inputs: str | list[str]
    normalize: bool = True
    truncate: bool = False


class PredictRequest(Asked):
    """A text, a pair of two, or a list of such lists."""

    inputs: str | _Pair | list[_Pair]
    raw_scores: bool = False
    truncate: bool = False


class RerankRequest(Asked):
    """A query, and texts that may answer it."""

    query: str
    texts: list[str]
    raw_scores: bool = False
    return_text: bool = False
    truncate: bool = False


class TokenizeRequest(Asked):
    """Texts."""

    inputs: str | list[str]
    add_special_tokens: bool = True


class DecodeRequest(Asked):
    """Token ids of one text, or of several."""

    ids: _Ids | list[_Ids]
    skip_special_tokens: bool = True


@router.post("/embed")
async def embed(request: Request, asked: EmbedRequest) -> list[list[float]]:
    """The vector of each text."""
    state = request.app.state
    model = state.models.get(asked.model, "feature-extraction")
    texts = [asked.inputs] if isinstance(asked.inputs, str) else asked.inputs
    check_count(texts, state.settings)

    def vectors() -> list[list[float]]:
        rows = model.served.rows(texts, truncation=asked.truncate)
        check_rows(rows, state.settings)
        values = model.served.vectors(rows)
        if asked.normalize:
            values = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        return values.tolist()

    return await state.work.run(model, vectors)


@router.post("/predict", response_model=None)
async def predict(request: Request, asked: PredictRequest) -> list[Any]:
    """The labels of each text with their scores, the best first."""
    state = request.app.state
    model = state.models.get(asked.model, "text-classification")
    several = isinstance(asked.inputs, list) and bool(asked.inputs) and isinstance(asked.inputs[0], list)
    given: Sequence[Any] = asked.inputs if several else [asked.inputs]
    check_count(given, state.settings)
    texts = [_text(each) for each in given]
    scores = await state.work.run(model, _scores, model, texts, asked.raw_scores, asked.truncate, state.settings)
    labels = model.served.labels
    ranked = [
        sorted(({"score": float(score), "label": labels[place]} for place, score in enumerate(row)), key=_falling)
        for row in scores
    ]
    return ranked if several else ranked[0]


@router.post("/rerank", response_model=None)
async def rerank(request: Request, asked: RerankRequest) -> list[dict[str, Any]]:
    """The texts by how well they answer the query: for a model of pairs, by the score of its last label."""
    state = request.app.state
    model = state.models.get(asked.model, "text-classification")
    if not model.served.pair:
        raise ValueError(f"Texts are ranked by a model of pairs. Received: {model.name}, which reads single texts.")
    check_count(asked.texts, state.settings)
    pairs = [(asked.query, text) for text in asked.texts]
    scores = await state.work.run(model, _scores, model, pairs, asked.raw_scores, asked.truncate, state.settings)
    ranks: list[dict[str, Any]] = [{"index": place, "score": float(row[-1])} for place, row in enumerate(scores)]
    if asked.return_text:
        ranks = [{**rank, "text": asked.texts[rank["index"]]} for rank in ranks]
    return sorted(ranks, key=_falling)


@router.post("/tokenize")
async def tokenize(request: Request, asked: TokenizeRequest) -> list[list[dict[str, Any]]]:
    """The tokens of each text, with the characters that they stand for."""
    state = request.app.state
    model = state.models.get(asked.model)
    texts = [asked.inputs] if isinstance(asked.inputs, str) else asked.inputs
    check_count(texts, state.settings)
    return await state.work.run(model, lambda: [_tokens(model, text, asked.add_special_tokens) for text in texts])


@router.post("/decode")
async def decode(request: Request, asked: DecodeRequest) -> list[str]:
    """The text of each row of token ids."""
    state = request.app.state
    model = state.models.get(asked.model)
    several = bool(asked.ids) and isinstance(asked.ids[0], list)
    rows: list[Any] = asked.ids if several else [asked.ids]
    check_count(rows, state.settings)
    tokenizer = model.served.tokenizer
    return await state.work.run(
        model, lambda: [tokenizer.decode(ids, skip_special_tokens=asked.skip_special_tokens) for ids in rows]
    )


@router.get("/info")
async def info(request: Request, model: str | None = None) -> dict[str, Any]:
    """About a model and the server's limits."""
    state = request.app.state
    found: ServedModel = state.models.get(model)
    settings: ServerSettings = state.settings
    return {
        "model_id": found.name,
        "model_sha": found.digest,
        "model_dtype": settings.variant or found.manifest.default_variant,
        "model_type": found.task,
        "max_input_length": found.served.preprocessing.max_length,
        "max_batch_tokens": settings.most_tokens,
        "max_client_batch_size": settings.most_texts,
        "max_concurrent_requests": settings.queue,
        "version": __version__,
    }


def _scores(
    model: ServedModel, texts: Sequence[Any], raw: bool, truncate: bool, settings: ServerSettings
) -> np.ndarray:
    """float32 [texts, labels], or of a model with one output [texts, 1]: probabilities, or what the graph gives."""
    classifier: TextClassifier = model.served
    rows = classifier.rows(texts, truncation=truncate)
    check_rows(rows, settings)
    if not raw:
        return classifier.scores(rows)
    outputs: list[np.ndarray] = [np.empty(0)] * len(rows)
    for piece in classifier.graph.pieces(rows):
        for place, values in zip(piece, classifier.outputs([rows[place] for place in piece]), strict=True):
            outputs[place] = values
    return np.stack(outputs)


def _tokens(model: ServedModel, text: str, special: bool) -> list[dict[str, Any]]:
    encoding = model.served.tokenizer.encode(text, add_special_tokens=special)
    return [
        {
            "id": token,
            "text": encoding.tokens[place],
            "special": bool(encoding.special_tokens_mask[place]),
            "start": encoding.offsets[place][0],
            "stop": encoding.offsets[place][1],
        }
        for place, token in enumerate(encoding.ids)
    ]


def _text(given: str | Sequence[str]) -> Any:
    """A text, or a pair of two."""
    if isinstance(given, str):
        return given
    return given[0] if len(given) == 1 else (given[0], given[1])


def _falling(entry: dict[str, Any]) -> float:
    return -entry["score"]

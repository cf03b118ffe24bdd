"""POST /v1/embeddings: vectors of texts."""

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ...embedding import TextEmbedder
from ...rows import Row
from ..limits import check_count, check_rows
from ..settings import ServerSettings
from .sampling import Name

router = APIRouter(prefix="/v1", tags=["OpenAI"])
_Token = Annotated[int, Field(ge=0, lt=2**31)]


class EmbeddingRequest(BaseModel):
    """Texts, or their token ids."""

    model_config = ConfigDict(extra="ignore")

    model: Name
    input: str | list[_Token] | list[str] | list[list[_Token]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1, lt=2**20)

    def inputs(self) -> list[Any]:
        """All of them."""
        one = isinstance(self.input, str) or (bool(self.input) and isinstance(self.input[0], int))
        return [self.input] if one else list(self.input)


@router.post("/embeddings", response_model=None)
async def embed(request: Request, asked: EmbeddingRequest) -> dict[str, Any]:
    """Makes a vector of each text. With `dimensions`, its first numbers, made one long again."""
    state = request.app.state
    model = state.models.get(asked.model, "feature-extraction")
    inputs, settings = asked.inputs(), state.settings
    check_count(inputs, settings)
    vectors, tokens = await state.work.run(model, _vectors, model.served, inputs, asked.dimensions, settings)
    data = [
        {"object": "embedding", "index": index, "embedding": _encode(vector, asked.encoding_format)}
        for index, vector in enumerate(vectors)
    ]
    return {
        "object": "list",
        "data": data,
        "model": asked.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _vectors(
    embedder: TextEmbedder, inputs: Sequence[Any], dimensions: int | None, settings: ServerSettings
) -> tuple[np.ndarray, int]:
    """float32 [texts, dimensions], and how many tokens were read."""
    rows = embedder.rows(inputs) if isinstance(inputs[0], str) else [_row(embedder, ids) for ids in inputs]
    tokens = check_rows(rows, settings)
    vectors = embedder.vectors(rows)
    if dimensions is not None:
        if dimensions > vectors.shape[1]:
            raise ValueError(f"dimensions must be at most {vectors.shape[1]} here. Received: {dimensions}.")
        vectors = vectors[:, :dimensions]
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors, tokens


def _row(embedder: TextEmbedder, ids: Sequence[int]) -> Row:
    limit, known = embedder.preprocessing.max_length, embedder.tokenizer.get_vocab_size(with_added_tokens=True)
    if not 0 < len(ids) <= limit or max(ids) >= known:
        raise ValueError(
            f"Token ids must be below {known}, from 1 to {limit} of them. Received: {len(ids)} of them, the largest "
            f"{max(ids, default=0)}."
        )
    return Row(np.array(ids, np.int64))


def _encode(vector: np.ndarray, encoding: str) -> Any:
    """Numbers, or base64 of their bytes, float32 and the lowest byte first."""
    return vector.tolist() if encoding == "float" else base64.b64encode(vector.astype("<f4").tobytes()).decode()

"""GET /v1/models: which models there are."""

from typing import Any

from fastapi import APIRouter, Request

from ..models import ServedModel

router = APIRouter(prefix="/v1", tags=["OpenAI"])


@router.get("/models")
async def list_models(request: Request) -> dict[str, Any]:
    """All models that are loaded, with the task of each."""
    return {"object": "list", "data": [_entry(model) for model in request.app.state.models]}


@router.get("/models/{model:path}")
async def retrieve_model(request: Request, model: str) -> dict[str, Any]:
    """One of them."""
    return _entry(request.app.state.models.get(model))


def _entry(model: ServedModel) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": model.name, "object": "model", "created": model.loaded_at, "owned_by": "kerasllm"}
    entry["task"] = model.task
    if model.task == "text-classification":
        entry["pair"] = model.served.pair
    if model.engine is not None:
        generator = model.engine.generator
        entry |= {"context": generator.graph.context, "chat": generator.chat_template is not None}
    return entry

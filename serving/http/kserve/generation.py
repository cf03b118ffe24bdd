"""POST /v2/models/{name}/generate and /generate_stream: a text that goes on, as Triton's extension has it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...generation.continuation import Generation
from ...generation.options import GenerationOptions
from ..events import open_stream
from ..limits import check_count
from ..models import ServedModel
from ..openai.completions import MAX_TOKENS
from ..openai.sampling import Sampling
from ..work import Writing
from .messages import Parameters
from .metadata import find_model

router = APIRouter(prefix="/v2/models", tags=["Open Inference Protocol"])


class GenerateRequest(BaseModel):
    """A prompt. How it goes on is said in OpenAI's words, in `parameters` or beside the text."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    text_input: str
    parameters: dict[str, Any] = {}

    @property
    def all_parameters(self) -> dict[str, Any]:
        """Those of both places."""
        return {**(self.model_extra or {}), **self.parameters}


class _Options(Sampling):
    """OpenAI's options, without a stream: the path says whether it is one."""

    max_tokens: int = Field(MAX_TOKENS, ge=1, lt=2**31)


@router.post("/{name}/generate", response_model=None)
@router.post("/{name}/versions/{version}/generate", include_in_schema=False, response_model=None)
async def generate(request: Request, name: str, asked: GenerateRequest, version: str | None = None) -> dict[str, Any]:
    """Writes on from a prompt."""
    model = find_model(request, name, version)
    written = await generate_texts(request, model, [asked.text_input], asked.all_parameters)
    texts = [each.text for each in written]
    return {**_head(model), "text_output": texts[0] if len(texts) == 1 else texts}


@router.post("/{name}/generate_stream", response_model=None)
@router.post("/{name}/versions/{version}/generate_stream", include_in_schema=False, response_model=None)
async def generate_stream(request: Request, name: str, asked: GenerateRequest, version: str | None = None) -> Any:
    """The same as server-sent events, each with what is new in the text."""
    model = find_model(request, name, version)
    options = _options(model, asked.all_parameters)
    prompts = await _prompts(request, model, [asked.text_input])
    writing = await request.app.state.work.write(model, prompts, options)
    return open_stream(request, writing, _chunks(model, writing), end=b"")


async def generate_texts(
    request: Request, model: ServedModel, texts: Sequence[str], parameters: Mapping[str, Any]
) -> list[Generation]:
    """Writes on from prompts.

    Args:
        request: Given up when its client hangs up.
        model: A decoder.
        texts: The prompts.
        parameters: How, in OpenAI's words.

    Returns:
        `n` texts of the first prompt (1 by default), then those of the next.

    Raises:
        RequestError: The model writes no texts; the client has gone.
        RequestValidationError: A parameter is wrong.
        ValueError: These are too many texts or tokens.
    """
    options = _options(model, parameters)
    prompts = await _prompts(request, model, texts)
    return await request.app.state.work.write_all(request, model, prompts, options)


async def _prompts(request: Request, model: ServedModel, texts: Sequence[str]) -> list[list[int]]:
    state = request.app.state
    check_count(texts, state.settings)
    return await state.work.run(model, lambda: [model.served.prompt_ids(text) for text in texts])


def _options(model: ServedModel, parameters: Parameters | Mapping[str, Any]) -> GenerationOptions:
    if model.engine is None:
        raise ValueError(f"Texts are written by a model for text-generation. Received: {model.name}, for {model.task}.")
    try:
        options = _Options.model_validate({**parameters, "model": model.name})
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    return options.options(options.max_tokens)


def _head(model: ServedModel) -> dict[str, str]:
    return {"model_name": model.name, "model_version": model.version}


async def _chunks(model: ServedModel, writing: Writing) -> AsyncIterator[dict[str, Any]]:
    async for index, piece, _ in writing.pieces():
        yield {**_head(model), "index": index, "text_output": piece.text, "finish_reason": piece.finish_reason}

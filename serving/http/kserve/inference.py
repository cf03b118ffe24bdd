"""POST /v2/models/{name}/infer: tensors in, tensors out."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ..limits import check_tokens
from ..models import ServedModel
from .generation import generate_texts
from .graphs import run_graph
from .messages import LENGTH_HEADER, InferRequest, read_request, read_tensors, write_response
from .metadata import find_model
from .signature import Declared, Signature, signature
from .tensors import Tensor, strings
from .texts import read_texts, run_texts

router = APIRouter(prefix="/v2/models", tags=["Open Inference Protocol"])


def _inlined(schema: Any, parts: Mapping[str, Any]) -> Any:
    """A JSON schema without references: what they lead to stands in their place."""
    if isinstance(schema, list):
        return [_inlined(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"].rsplit("/", 1)[-1]], parts)
    return {key: _inlined(value, parts) for key, value in schema.items() if key != "$defs"}


_SCHEMA = InferRequest.model_json_schema()
_BODY = {"application/json": {"schema": _inlined(_SCHEMA, _SCHEMA["$defs"])}}


@router.post("/{name}/infer", openapi_extra={"requestBody": {"content": _BODY, "required": True}}, response_model=None)
@router.post("/{name}/versions/{version}/infer", include_in_schema=False, response_model=None)
async def infer(request: Request, name: str, version: str | None = None) -> Response:
    """Runs the model's graph on its own inputs, or its task on texts. Tensors may come as bytes after the JSON."""
    model, state = find_model(request, name, version), request.app.state
    asked, rest = read_request(await request.body(), request.headers.get(LENGTH_HEADER))
    has = signature(model)
    tensors = read_tensors(asked, rest, {each.name: each.datatype for each in has.inputs}, state.settings.most_tokens)
    if tensors.keys().isdisjoint(each.name for each in has.text_inputs):
        wanted = _wanted(asked, has.graph_outputs, "the graph")
        check_tokens(max(tensor.values.size for tensor in tensors.values()), state.settings)
        outputs = await state.work.run(model, run_graph, model, tensors, wanted)
    else:
        outputs = await _ask(request, model, asked, tensors, has)
    return write_response(model, asked, outputs)


async def _ask(
    request: Request, model: ServedModel, asked: InferRequest, tensors: Mapping[str, Tensor], has: Signature
) -> list[Tensor]:
    """What the model's task makes of texts."""
    state = request.app.state
    names = [each.name for each in has.text_inputs]
    mixed = [name for name in tensors if name not in names]
    if mixed:
        raise ValueError(f"Texts and inputs of the graph must not come together. Received: both {mixed[0]} and texts.")
    wanted = [each.name for each in _wanted(asked, has.text_outputs, "texts")]
    texts = read_texts(model, tensors, names, state.settings)
    if model.engine is None:
        outputs = await state.work.run(model, run_texts, model, texts, asked.parameters, state.settings)
    else:
        written = await generate_texts(request, model, texts, asked.parameters)
        outputs = [strings("text_output", [each.text for each in written])]
    return [each for each in outputs if each.name in wanted]


def _wanted(asked: InferRequest, given: list[Declared], what: str) -> list[Declared]:
    """The outputs that a request names; all of them if it names none."""
    known = {each.name: each for each in given}
    for output in asked.outputs:
        if output.name not in known:
            raise ValueError(f"The outputs for {what} are {', '.join(known)}. Received: {output.name[:100]!r}.")
    return [known[output.name] for output in asked.outputs] or given

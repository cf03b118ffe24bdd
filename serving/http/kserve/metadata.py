"""What there is to ask: the server, its models, and the tensors of each."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from .... import __version__
from ..errors import RequestError
from ..models import Models, ServedModel
from .signature import Declared, signature

router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])


@router.get("")
@router.get("/", include_in_schema=False)
async def server() -> dict[str, Any]:
    """The server, and what it speaks beyond the protocol."""
    extensions = ["binary_tensor_data", "generate", "model_configuration", "model_repository(index)"]
    return {"name": "kerasllm", "version": __version__, "extensions": extensions}


@router.get("/health/live")
async def live() -> JSONResponse:
    """Whether the server answers."""
    return JSONResponse({"live": True})


@router.get("/health/ready")
async def ready(request: Request) -> JSONResponse:
    """Whether every model is loaded: 200, or 503."""
    models: Models = request.app.state.models
    return JSONResponse({"ready": models.ready}, 200 if models.ready else 503)


@router.post("/repository/index")
async def index(request: Request) -> list[dict[str, str]]:
    """All models, loaded or not."""
    models: Models = request.app.state.models
    loaded = {model.name: model for model in models}
    return [
        {"name": name, "version": loaded[name].version, "state": "READY", "reason": ""}
        if name in loaded
        else {"name": name, "state": "UNAVAILABLE", "reason": "loading"}
        for name in models.names
    ]


@router.get("/models/{name}/ready")
@router.get("/models/{name}/versions/{version}/ready")
async def model_ready(request: Request, name: str, version: str | None = None) -> JSONResponse:
    """Whether a model is loaded: 200, or 503."""
    try:
        find_model(request, name, version)
    except RequestError as error:
        if error.status != 503:
            raise
        return JSONResponse({"name": name, "ready": False}, 503)
    return JSONResponse({"name": name, "ready": True})


@router.get("/models/{name}")
@router.get("/models/{name}/versions/{version}")
async def model_metadata(request: Request, name: str, version: str | None = None) -> dict[str, Any]:
    """A model's tensors. It is asked with all those of its graph, or with texts; sizes of -1 may be any."""
    model = find_model(request, name, version)
    found = signature(model)
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": "onnx_onnxv1",
        "inputs": [_metadata(each) for each in found.inputs],
        "outputs": [_metadata(each) for each in found.outputs],
    }


@router.get("/models/{name}/config")
@router.get("/models/{name}/versions/{version}/config")
async def model_config(request: Request, name: str, version: str | None = None) -> dict[str, Any]:
    """The same as Triton's configuration has it. Rows are batched by the server: `max_batch_size` is 0."""
    model = find_model(request, name, version)
    found = signature(model)
    return {
        "name": model.name,
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": _config([*found.inputs]),
        "output": _config([*found.outputs]),
        "model_transaction_policy": {"decoupled": False},
    }


def find_model(request: Request, name: str, version: str | None) -> ServedModel:
    """The model of a path.

    Raises:
        RequestError: There is none of this name or version (404), or it is still being loaded (503).
    """
    model: ServedModel = request.app.state.models.get(name)
    if version not in (None, model.version):
        raise RequestError(404, f"{name} is here in version {model.version} alone. Received: {version[:20]}.")
    return model


def _metadata(declared: Declared) -> dict[str, Any]:
    return {"name": declared.name, "datatype": declared.datatype, "shape": declared.shape}


def _config(declared: Sequence[Declared]) -> list[dict[str, Any]]:
    names = {"BYTES": "STRING"}
    return [
        {"name": each.name, "data_type": f"TYPE_{names.get(each.datatype, each.datatype)}", "dims": each.shape}
        for each in declared
    ]

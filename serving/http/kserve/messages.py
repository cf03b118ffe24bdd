"""What is sent to `infer` and back: JSON, with the bytes of tensors behind it where the client wants it so.

The binary tensor data extension: the header Inference-Header-Content-Length says where the JSON ends.
"""

import json
import math
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..models import ServedModel
from .tensors import DTYPES, Tensor, read_bytes, read_list, write_bytes, write_list

LENGTH_HEADER = "Inference-Header-Content-Length"
_MOST_TENSORS, _MOST_AXES = 32, 8
_Name = Annotated[str, Field(max_length=200)]
_Size = Annotated[int, Field(ge=0, lt=2**31)]
Parameters = Annotated[dict[_Name, bool | int | float | str | None], Field(max_length=100)]


class InputTensor(BaseModel):
    """A tensor of the request. Without `data`, it is among the bytes, and `binary_data_size` of its parameters."""

    model_config = ConfigDict(extra="ignore")

    name: _Name
    shape: Annotated[list[_Size], Field(min_length=1, max_length=_MOST_AXES)]
    datatype: _Name
    parameters: Parameters = {}
    data: list[Any] | None = None


class RequestedOutput(BaseModel):
    """A tensor that is wanted; with `binary_data` of its parameters, as bytes."""

    model_config = ConfigDict(extra="ignore")

    name: _Name
    parameters: Parameters = {}


class InferRequest(BaseModel):
    """The JSON of a request."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = Field(None, max_length=1000)
    parameters: Parameters = {}
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=_MOST_TENSORS)]
    outputs: Annotated[list[RequestedOutput], Field(max_length=_MOST_TENSORS)] = []

    def binary(self, name: str) -> bool:
        """Whether an output is sent as bytes."""
        everything = self.parameters.get("binary_data_output") is True
        asked = {output.name: output.parameters.get("binary_data", everything) for output in self.outputs}
        return asked.get(name, everything) is True


def read_request(body: bytes, length: str | None) -> tuple[InferRequest, memoryview]:
    """The JSON of a request, and the bytes after it.

    Args:
        body: All of it.
        length: What the header says of the length of the JSON; None: it is all JSON.

    Raises:
        RequestValidationError: The JSON is not that of a request.
        ValueError: The header is no length, or two tensors have one name.
    """
    end = len(body)
    if length is not None:
        if not (length.isascii() and length.isdecimal() and len(length) < 19 and int(length) <= len(body)):
            raise ValueError(f"{LENGTH_HEADER} must be at most the body's {len(body)} bytes. Received: {length[:20]}.")
        end = int(length)
    try:
        asked = InferRequest.model_validate_json(body[:end])
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    for given in (asked.inputs, asked.outputs):
        if len({tensor.name for tensor in given}) < len(given):
            raise ValueError("Two tensors of a request must not have one name. Received: the same name twice.")
    if any(output.parameters.get("classification") for output in asked.outputs):
        raise ValueError('Outputs as "classification" are not made here: send "text", and get "labels" and "scores".')
    return asked, memoryview(body)[end:]


def read_tensors(asked: InferRequest, rest: memoryview, declared: dict[str, str], most: int) -> dict[str, Tensor]:
    """The inputs of a request, by name.

    Args:
        asked: The JSON.
        rest: The bytes after it, those of the tensors in the order of the inputs.
        declared: Name to datatype of all inputs that the model has.
        most: Values that one of them may have.

    Raises:
        ValueError: An input is unknown, or not what it says.
    """
    tensors, start = {}, 0
    for given in asked.inputs:
        _check_input(given, declared, most)
        size = given.parameters.get("binary_data_size")
        if given.data is not None and size is None:
            tensors[given.name] = read_list(given.name, given.datatype, given.shape, given.data)
            continue
        if given.data is not None or not isinstance(size, int) or not 0 <= size <= len(rest) - start:
            raise ValueError(
                f'{given.name} must have either "data" or, in its parameters, a "binary_data_size" of bytes that '
                f"follow the JSON. Received: {size!r:.20} with {len(rest) - start} bytes left."
            )
        part, start = rest[start : start + size], start + size
        tensors[given.name] = read_bytes(given.name, given.datatype, given.shape, part)
    if start != len(rest):
        raise ValueError(f"The bytes after the JSON must be those of the inputs. Received: {len(rest) - start} more.")
    return tensors


def write_response(model: ServedModel, asked: InferRequest, tensors: Sequence[Tensor]) -> Response:
    """The whole answer to a request."""
    outputs: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for tensor in tensors:
        entry = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.values.shape)}
        if asked.binary(tensor.name):
            parts.append(write_bytes(tensor))
            outputs.append({**entry, "parameters": {"binary_data_size": len(parts[-1])}})
        else:
            outputs.append({**entry, "data": write_list(tensor)})
    answer = {"model_name": model.name, "model_version": model.version, "outputs": outputs}
    if asked.id is not None:
        answer["id"] = asked.id
    if not parts:
        return JSONResponse(answer)
    header = json.dumps(answer, separators=(",", ":")).encode()
    return Response(
        b"".join([header, *parts]), media_type="application/octet-stream", headers={LENGTH_HEADER: str(len(header))}
    )


def _check_input(given: InputTensor, declared: dict[str, str], most: int) -> None:
    """Whether it is an input of the model, of its datatype and not too large; nothing of it has been read yet."""
    if given.name not in declared:
        raise ValueError(f"The model has the inputs {', '.join(declared)}. Received: {given.name[:100]!r}.")
    if given.datatype not in DTYPES or given.datatype != declared[given.name]:
        raise ValueError(f"{given.name} must be {declared[given.name]}. Received: {given.datatype[:20]!r}.")
    if any(name.startswith("shared_memory") for name in given.parameters):
        raise ValueError("Shared memory is not read here. Send the data themselves.")
    if not 0 < math.prod(given.shape) <= most:
        raise ValueError(f"{given.name} must have from 1 to {most:,} values. Received: the shape {given.shape}.")

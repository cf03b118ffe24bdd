"""Tensors as the Open Inference Protocol has them: as lists in JSON, or as bytes after it."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# The protocol's names. BYTES are strings of any length: arrays of objects here.
DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
# What a value of each kind of numpy type is in JSON. A bool is no number.
_JSON_TYPES: dict[str, tuple[type, ...]] = {"b": (bool,), "u": (int,), "i": (int,), "f": (int, float), "O": (str,)}
_LENGTH = struct.Struct("<I")  # before each string among bytes


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An array with a name; its datatype is one of `DTYPES`, and strings are `bytes` objects."""

    name: str
    datatype: str
    values: np.ndarray


def strings(name: str, texts: Sequence[str], shape: Sequence[int] | None = None) -> Tensor:
    """Texts as BYTES, of the shape [texts] unless another one is given."""
    values = np.empty(len(texts), object)
    values[:] = [text.encode("utf-8", "replace") for text in texts]
    return Tensor(name=name, datatype="BYTES", values=values if shape is None else values.reshape(shape))


def read_list(name: str, datatype: str, shape: Sequence[int], data: list[Any]) -> Tensor:
    """A tensor from JSON.

    Args:
        name: Its name.
        datatype: One of `DTYPES`.
        shape: Its sizes.
        data: Its values, flat or nested as the shape is.

    Raises:
        ValueError: These are not as many values, or not of the datatype.
    """
    flat = _flatten(name, data, shape)
    dtype = DTYPES[datatype]
    if not all(type(value) in _JSON_TYPES[dtype.kind] for value in flat):
        raise ValueError(f"The data of {name} must be {datatype}. Received: values of another type.")
    if dtype.kind == "O":
        return strings(name, flat, shape)
    try:
        return Tensor(name=name, datatype=datatype, values=np.array(flat, dtype).reshape(shape))
    except OverflowError:
        raise ValueError(f"The data of {name} must be {datatype}. Received: a number that it cannot hold.") from None


def read_bytes(name: str, datatype: str, shape: Sequence[int], data: memoryview) -> Tensor:
    """A tensor from its bytes: little endian, row after row; each string after its length of four bytes.

    Raises:
        ValueError: The bytes are not those of such a tensor.
    """
    dtype, count = DTYPES[datatype], math.prod(shape)
    if dtype.kind == "O":
        values = _read_strings(name, count, data)
    elif len(data) != count * dtype.itemsize:
        wanted = count * dtype.itemsize
        raise ValueError(f"{name} of the shape {list(shape)} must have {wanted} bytes. Received: {len(data)}.")
    else:
        values = np.frombuffer(data, dtype)
    return Tensor(name=name, datatype=datatype, values=values.reshape(shape))


def write_list(tensor: Tensor) -> list[Any]:
    """The values for JSON, flat.

    Raises:
        ValueError: One is no number that JSON has, or no text.
    """
    flat = tensor.values.reshape(-1)
    if flat.dtype.kind == "O":
        return [value.decode() for value in flat]
    if flat.dtype.kind == "f" and not np.isfinite(flat).all():
        raise ValueError(f"{tensor.name} has values that JSON does not have. Ask for it as binary data.")
    return flat.tolist()


def write_bytes(tensor: Tensor) -> bytes:
    """The values as `read_bytes` reads them."""
    if tensor.values.dtype.kind == "O":
        return b"".join(_LENGTH.pack(len(value)) + value for value in tensor.values.reshape(-1))
    return np.ascontiguousarray(tensor.values, DTYPES[tensor.datatype]).tobytes()


def _flatten(name: str, data: list[Any], shape: Sequence[int]) -> list[Any]:
    """The values in a row, from lists that are flat, or nested as the shape is."""
    if not any(isinstance(value, list) for value in data):
        _check_length(name, data, math.prod(shape), shape)
        return data
    parts = [data]
    for size in shape:
        for part in parts:
            if not isinstance(part, list):
                raise ValueError(f"The data of {name} must be nested as its shape {list(shape)}. They are not.")
            _check_length(name, part, size, shape)
        parts = [value for part in parts for value in part]
    return parts


def _check_length(name: str, data: list[Any], wanted: int, shape: Sequence[int]) -> None:
    if len(data) != wanted:
        raise ValueError(f"{name} of the shape {list(shape)} needs {wanted} values here. Received: {len(data)}.")


def _read_strings(name: str, count: int, data: memoryview) -> np.ndarray:
    """bytes objects [count]."""
    found: list[bytes] = []
    start = 0
    while start < len(data) and len(found) <= count:
        if start + _LENGTH.size > len(data):
            raise ValueError(f"{name} ends in the middle of a string's length.")
        (length,) = _LENGTH.unpack_from(data, start)
        start += _LENGTH.size
        if length > len(data) - start:
            raise ValueError(f"A string of {name} says that it has {length} bytes. There are {len(data) - start}.")
        found.append(bytes(data[start : start + length]))
        start += length
    if len(found) != count:
        raise ValueError(f"{name} must have {count} strings. Received: {'more' if len(found) > count else len(found)}.")
    values = np.empty(count, object)
    values[:] = found
    return values

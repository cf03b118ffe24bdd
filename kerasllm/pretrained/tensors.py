"""The weights of a folder of Hugging Face: model.safetensors, or the shards that its index names.

The format: https://github.com/huggingface/safetensors. Nothing is ever unpickled.
"""

import json
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from ..extras import require

FILE, INDEX = "model.safetensors", "model.safetensors.index.json"
_FLOATS = ("F16", "BF16", "F32", "F64")


@dataclass(frozen=True)
class Tensors:
    """Tensors on disk; shapes are known, values are read when asked for.

    Attributes:
        folder: Where they lie.
        files: Name of each tensor to its file.
        shapes: Name of each tensor to its shape.
    """

    folder: Path
    files: Mapping[str, Path]
    shapes: Mapping[str, tuple[int, ...]]

    def load(self, name: str) -> np.ndarray:
        """A tensor as float32.

        Raises:
            ValueError: It holds something else than finite floating-point numbers.
        """
        with require("train", "safetensors").safe_open(self.files[name], "numpy") as file:
            if file.get_slice(name).get_dtype() not in _FLOATS:
                raise ValueError(
                    f"Weights must be floating-point numbers ({', '.join(_FLOATS)}). "
                    f"Received: {name} of type {file.get_slice(name).get_dtype()} in {self.files[name]}."
                )
            tensor = file.get_tensor(name).astype(np.float32)
        if not np.isfinite(tensor).all():
            raise ValueError(f"Weights must be finite. Received: NaN or infinity in {name} of {self.files[name]}.")
        return tensor


def open_tensors(folder: Path) -> Tensors:
    """Reads the headers of a folder's weights.

    Raises:
        FileNotFoundError: There are none, or a shard is missing.
        ValueError: They are pickled or damaged, or the index names a file outside of the folder.
    """
    index = folder / INDEX
    shards = sorted(set(_weight_map(index).values())) if index.is_file() else [FILE]
    files: dict[str, Path] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for shard in shards:
        for name, shape in _header(folder / shard).items():
            files[name], shapes[name] = folder / shard, shape
    if index.is_file():
        _check_index(index, files)
    return Tensors(folder, files, shapes)


def check_tensors(
    tensors: Tensors, names: Mapping[str, str], expected: Mapping[str, tuple[int, ...]], body: Set[str]
) -> None:
    """Holds the weights to what the config.json asks for.

    Args:
        tensors: The weights.
        names: What they are called here, to their names in the file.
        expected: The shape of every one that must be there.
        body: Those that belong to the model itself and not to a head, so that each must have its place.

    Raises:
        ValueError: One is missing, or of another shape, or has no place.
    """
    missing = sorted(expected.keys() - names.keys())
    if missing:
        raise ValueError(
            f"A folder must hold every weight that its config.json asks for. Received: {tensors.folder}, without "
            f"{len(missing)} of {len(expected)}, {missing[0]!r} among them."
        )
    for name, shape in expected.items():
        if tensors.shapes[names[name]] != shape:
            raise ValueError(
                f"Weights must be of the shapes that config.json asks for. Received: {tensors.folder}, where "
                f"{names[name]!r} is {list(tensors.shapes[names[name]])} instead of {list(shape)}."
            )
    left = sorted(body - expected.keys())
    if left:
        raise ValueError(
            f"Every weight of a model must have its place in what config.json describes. Received: "
            f"{tensors.folder}, with {len(left)} weights that have none, {left[0]!r} among them."
        )


def _weight_map(index: Path) -> dict[str, str]:
    """Name of each tensor to the name of its file, which must be one of the folder."""
    try:
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        shards = set(map(str, names.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"An index of shards must hold a weight_map. Received: {index}, which has none.") from error
    for shard in shards:
        if PurePath(shard).name != shard or "\\" in shard or not shard.endswith(".safetensors"):
            raise ValueError(
                f"An index must name .safetensors files of its own folder. Received: {shard!r} in {index}."
            )
    return names


def _check_index(index: Path, files: Mapping[str, Path]) -> None:
    wrong = [name for name, shard in _weight_map(index).items() if name not in files or files[name].name != shard]
    if wrong:
        raise ValueError(
            f"A shard must hold the tensors that the index says. Received: {index}, where {wrong[0]!r} "
            f"{_and_more(wrong)}is not where it says."
        )


def _and_more(names: list[str]) -> str:
    return f"(and {len(names) - 1} more) " if len(names) > 1 else ""


def _header(path: Path) -> dict[str, tuple[int, ...]]:
    """Name of each tensor of a file to its shape."""
    if not path.is_file():
        _refuse_missing(path)
    safetensors = require("train", "safetensors")
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 not a dict
    except safetensors.SafetensorError as error:
        raise ValueError(f"Weights must be a whole safetensors file. Received: {path}, damaged: {error}.") from error


def _refuse_missing(path: Path) -> None:
    pickled = [file.name for file in sorted(path.parent.glob("*.bin")) + sorted(path.parent.glob("*.pt"))]
    if pickled:
        raise ValueError(
            f"Weights are read from safetensors only, since a pickled file can run any code. Received: {path.parent}, "
            f"with {pickled[0]} alone. Where you trust it, save the model again with safe_serialization=True."
        )
    raise FileNotFoundError(f"A model's folder must hold its weights. Received: {path.parent}, without {path.name}.")

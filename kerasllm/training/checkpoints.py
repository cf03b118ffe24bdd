"""Checkpoints: everything that training needs to go on as if it had never stopped.

A checkpoint is one .npz file, arrays without pickle, that appears whole or not at all.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replace_file

_KEEP = 2  # the newest, and one to fall back on should a disk have spoiled it


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state after an epoch.

    Attributes:
        epoch: Epochs that are done.
        progress: What is known so far, as JSON holds it: the history, the best epoch.
        arrays: The values of the model's, its seed generators' and the optimizer's variables, in their order.
    """

    epoch: int
    progress: dict[str, Any]
    arrays: list[np.ndarray]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes `epoch-NNNN.npz` and removes all but the newest two.

    Args:
        folder: Made if need be.
        checkpoint: The state.
    """
    folder.mkdir(parents=True, exist_ok=True)
    progress = np.frombuffer(json.dumps(checkpoint.progress).encode(), np.uint8)
    arrays: dict[str, Any] = {f"{index:05d}": array for index, array in enumerate(checkpoint.arrays)}
    with replace_file(folder / f"epoch-{checkpoint.epoch:04d}.npz") as path:
        np.savez(path, progress=progress, **arrays)
    for old in _newest_first(folder)[_KEEP:]:
        old.unlink(missing_ok=True)


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that can be read whole, or None."""
    for path in _newest_first(folder):
        try:
            with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
                progress = json.loads(file["progress"].tobytes())
                arrays = [file[name] for name in sorted(file.files) if name != "progress"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue  # damaged: every array has a checksum
        return Checkpoint(epoch=int(path.stem.partition("-")[2]), progress=progress, arrays=arrays)
    return None


def values_of(variables: Sequence[Any]) -> list[np.ndarray]:
    """Copies of the values of Keras variables."""
    return [np.array(variable.numpy()) for variable in variables]


def assign(variables: Sequence[Any], arrays: Sequence[np.ndarray]) -> None:
    """Gives Keras variables their saved values.

    Raises:
        ValueError: The arrays are not those of these variables.
    """
    expected, received = [tuple(variable.shape) for variable in variables], [array.shape for array in arrays]
    if expected != received:
        raise ValueError(
            f"A checkpoint must fit the model that it is loaded into. Received: {len(received)} arrays of other shapes "
            f"than its {len(expected)} variables; was it written by another version of Keras? Train anew."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*.npz"), reverse=True)

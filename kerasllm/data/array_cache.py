"""Arrays on disk that are made once, then only read: an entry is a folder of .npy files with their checksums."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike

from ..atomic import new_folder


def array_cache(
    key: tuple[Any, ...], write: Callable[[Path], None], folder: Path | None = None
) -> dict[str, np.ndarray]:
    """The arrays of an entry, from the cache where the same ones were made before; a damaged entry is made anew.

    Args:
        key: All that the arrays depend on, of parts that `repr` tells apart.
        write: Puts the arrays into a folder, as .npy files; called only where the entry is not there or not whole.
        folder: Where the cache lies; by default `kerasllm/tokens` in $XDG_CACHE_HOME, or in ~/.cache.

    Returns:
        Each array, memory-mapped and not to be written to, by its file's name without ".npy".
    """
    entry = (folder or _default_folder()) / hashlib.sha256(repr(key).encode()).hexdigest()[:32]
    if not _is_whole(entry):
        with new_folder(entry, overwrite=True) as new:
            write(new)
            _checksums(new).write_text(json.dumps(_digests(new)))
    return {path.stem: np.load(path, mmap_mode="r") for path in _arrays(entry)}


def write_chunks(
    folder: Path, dtypes: Mapping[str, DTypeLike], chunks: Iterable[Mapping[str, np.ndarray]], *, prefix: str = ""
) -> None:
    """Writes arrays of one axis side by side, a chunk at a time: no more than a chunk is ever in memory.

    Args:
        folder: Where the files go.
        dtypes: What each array is kept as; its file is its name with ".npy".
        chunks: The next values of each array, any number of them.
        prefix: What the files' names begin with.
    """
    lengths = dict.fromkeys(dtypes, 0)
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{prefix}{name}.npy").open("wb")) for name in dtypes}
        for name, file in files.items():
            _write_header(file, dtypes[name], 0)
        for chunk in chunks:
            for name, values in chunk.items():
                files[name].write(values.astype(dtypes[name]).tobytes())
                lengths[name] += len(values)
        for name, file in files.items():
            file.seek(0)
            _write_header(file, dtypes[name], lengths[name])


def _write_header(file: IO[bytes], dtype: DTypeLike, length: int) -> None:
    """NumPy leaves room for the length to grow, so that the last header fits where the first one was."""
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": (length,)})


def _is_whole(entry: Path) -> bool:
    """Whether every file of the entry is there with the checksum that it was written with."""
    try:
        expected = json.loads(_checksums(entry).read_bytes())
        return bool(expected) and expected == _digests(entry)
    except (OSError, ValueError):
        return False


def _digests(entry: Path) -> dict[str, str]:
    digests = {}
    for path in _arrays(entry):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _arrays(entry: Path) -> list[Path]:
    return sorted(entry.glob("*.npy"))


def _checksums(entry: Path) -> Path:
    return entry / "sha256.json"


def _default_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kerasllm" / "tokens"

"""Write beside, then rename: a file or a folder is whole or absent, whatever happens in between."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_file(target: Path) -> Iterator[Path]:
    """Yields a temporary path beside `target`, which takes its place when the block succeeds.

    The old file, if any, stays as it was until the new one is whole and on disk.

    Args:
        target: The file to write; its folder must exist.
    """
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp's files are private; ours are ordinary
        _flush(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(target: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yields a temporary folder beside `target`, which is renamed to it when the block succeeds.

    Args:
        target: The folder to make. Its parents are made.
        overwrite: Replace a folder that is there already; it is removed only after the new one is whole.

    Raises:
        FileExistsError: `target` holds something and `overwrite` is off.
    """
    if not overwrite:
        check_new(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        _swap(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_new(target: Path) -> None:
    """Refuses a target that holds something: what `new_folder` asks, for callers with long work before it.

    Raises:
        FileExistsError: `target` is a file, or a folder that is not empty.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FileExistsError(
            f"The output folder must be new or empty. Received: {target}. Name another one, or ask to overwrite it."
        )


def _swap(new: Path, target: Path) -> None:
    """Renames `new` to `target`; what was there is moved aside first and removed last."""
    if not target.exists():
        new.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / target.name)
    try:
        new.rename(target)
    except OSError:
        (old / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    """Forces a file to the disk, so that the rename never comes before its bytes."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

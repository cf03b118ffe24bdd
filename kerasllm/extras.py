"""Optional dependencies: one clear sentence where one is missing."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def require(extra: str, module: str) -> ModuleType:
    """Imports `module`, or says which extra brings it.

    Args:
        extra: The extra of kerasllm that holds the package: "train", "export" or "serving".
        module: The module's dotted name.

    Returns:
        The module.

    Raises:
        ImportError: The package is not installed; the message names the command that installs it.
    """
    try:
        with _quiet_loading(module):
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the package is there, something that it needs is not: its own message says more
        raise ImportError(
            f"This step needs the package {module.partition('.')[0]!r}, which is not installed. "
            f"Run: pip install 'kerasllm[{extra}]'"
        ) from error


@contextmanager
def _quiet_loading(module: str) -> Iterator[None]:
    """Keeps TensorFlow's native notes off the terminal while it loads (no flag of its own hides the first of them).

    What goes wrong still comes out, as Python's exception.
    """
    # What is loaded has nothing to say; and threads that ask for it must not take turns at the one stderr.
    if module.partition(".")[0] not in ("keras", "tensorflow") or {module, "tensorflow"} & sys.modules.keys():
        yield
        return
    sys.stderr.flush()
    terminal = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)

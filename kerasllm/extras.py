"""Optional dependencies: one clear sentence where one is missing."""

import importlib
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
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the package is there, something that it needs is not: its own message says more
        raise ImportError(
            f"This step needs the package {module.partition('.')[0]!r}, which is not installed. "
            f"Run: pip install 'kerasllm[{extra}]'"
        ) from error

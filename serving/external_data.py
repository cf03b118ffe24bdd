"""Weights that lie beside a graph's file: which files a graph asks for, read without the onnx package."""

from collections.abc import Collection, Iterator
from pathlib import Path

from .errors import BundleError

# A protobuf entry that names a file: the key "location", then the value's tag, its length and the name.
_KEY, _VALUE = b"\n\x08location", b"\x12"
_LONGEST = len(_KEY) + 2 + 255
_PIECE = 2**20


def check_locations(graph: Path, allowed: Collection[str]) -> None:
    """Refuses a graph that asks for other files than those that were verified, before onnxruntime opens any.

    Args:
        graph: The graph's file.
        allowed: Names of files in its folder.

    Raises:
        BundleError: It does.
    """
    foreign = sorted(locations(graph) - set(allowed))
    if foreign:
        raise BundleError(
            f"The weights of {graph} must lie in it or in a file of the manifest beside it. Received: weights in "
            f"{foreign[0]!r}. Export or copy the bundle again."
        )


def locations(graph: Path) -> set[str]:
    """Names of the files that a graph asks for, of which one piece at a time is in memory."""
    found: set[str] = set()
    seen = b""
    with graph.open("rb") as file:
        while piece := file.read(_PIECE):
            seen = seen[-_LONGEST:] + piece
            found.update(_names(seen))
    return found


def _names(data: bytes) -> Iterator[str]:
    """The names in some bytes; one that is cut off comes with the next piece.

    Protobuf allows the name before its key, which nothing writes: such an entry is foreign, whatever it names.
    """
    for rest in data.split(_KEY)[1:]:
        tag, length, name = rest[:1], rest[1:2], rest[2:]
        if tag and tag != _VALUE:
            yield "an entry that hides its name"
        elif length and len(name) >= length[0]:
            yield name[: length[0]].decode(errors="replace")

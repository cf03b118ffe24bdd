"""A variant's graph in a file, and its weights in a file beside it where they are too many (ONNX's external data)."""

import json
from collections.abc import Iterable
from pathlib import Path

import onnx_ir as ir

from ..serving.manifest import data_file
from .manifest import as_json
from .quantization.coverage import initializer_bytes

# Most bytes of weights that a graph's file holds itself: protobuf refuses 2 GiB, and nodes and names need some of it.
INLINE_LIMIT = 2**31 - 2**24
# Constants up to so many bytes stay in the graph, where runtimes look for shapes and axes.
_SMALL = 1024
_PAGE = 4096  # where weights begin, so that onnxruntime maps them into memory instead of reading them


def write_graph(model: ir.Model, folder: Path, file: str, inline_limit: int = INLINE_LIMIT) -> None:
    """Writes a graph; weights of their own file go there one by one, so that they are in memory once.

    Args:
        model: The graph. It is left as it is.
        folder: The bundle folder.
        file: The graph's path in it.
        inline_limit: Most bytes of weights that the file holds itself; with more, it holds none.
    """
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if initializer_bytes(model.graph) <= inline_limit:
        path.write_bytes(ir.to_proto(model).SerializeToString())
        return
    beside = Path(data_file(file)).name
    ir.save(model, path, external_data=beside, size_threshold_bytes=_SMALL, alignment=_PAGE, align_threshold=_SMALL)


def remove_graph(folder: Path, file: str) -> None:
    """Removes a graph's file, and that of its weights where there is one."""
    (folder / file).unlink()
    (folder / data_file(file)).unlink(missing_ok=True)


def announce_data(folder: Path, files: Iterable[str]) -> None:
    """Tells transformers.js, in config.json, whose weights lie beside their graph: it asks for no file unasked.

    Args:
        folder: The bundle folder.
        files: The graphs' paths in it.
    """
    beside = [Path(file).name for file in files if (folder / data_file(file)).exists()]
    if not beside:
        return
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["transformers.js_config"] = {"use_external_data_format": dict.fromkeys(beside, True)}
    path.write_bytes(as_json(config))

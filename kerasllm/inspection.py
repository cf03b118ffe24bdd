"""Say what is inside a RUN, a BUNDLE or an ONNX file, without running it."""

import importlib.util
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .extras import require
from .serving.bundle import open_bundle
from .serving.manifest import MANIFEST, graph_bytes


def inspect_path(path: Path) -> dict[str, Any]:
    """Describes what lies at `path`.

    Args:
        path: A BUNDLE folder, a RUN folder or an .onnx file.

    Returns:
        "kind" ("bundle", "run" or "onnx") and what there is to say of one.

    Raises:
        FileNotFoundError: There is nothing.
        ValueError: It is none of the three, or damaged.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at {path}. Name a BUNDLE, a RUN or an .onnx file.")
    if path.is_file():
        return inspect_onnx(path)
    if not (path / MANIFEST).is_file() and (path / "config.json").is_file() and not any(path.rglob("*.onnx")):
        return _inspect_run(path)
    return _inspect_bundle(path)


def inspect_onnx(path: Path) -> dict[str, Any]:
    """Describes an ONNX file: its interface, and its operators counted through every subgraph.

    Raises:
        ValueError: It is no ONNX file.
        ImportError: The onnx package is not installed; the message says how to get it.
    """
    onnx = require("export", "onnx")
    try:
        model = onnx.load(path, load_external_data=False)
        known = bool(model.opset_import) and bool(model.graph.output)
    except Exception:  # protobuf raises its own kind
        known = False
    if not known:
        raise ValueError(f"An .onnx file must hold an ONNX model. Received: {path}, which holds something else.")
    nodes = list(_nodes(model.graph))
    return {
        "kind": "onnx",
        "bytes": graph_bytes(path),
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "ir_version": model.ir_version,
        "opsets": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "inputs": [_value(onnx, value) for value in model.graph.input],
        "outputs": [_value(onnx, value) for value in model.graph.output],
        "operators": dict(Counter(_operator(node) for node in nodes).most_common()),
        "parameters": sum(_size(tensor.dims) for tensor in model.graph.initializer),
        "metadata": {entry.key: entry.value for entry in model.metadata_props},
    }


def _inspect_bundle(path: Path) -> dict[str, Any]:
    bundle = open_bundle(path)
    bundle.verify()
    result: dict[str, Any] = {"kind": "bundle", "manifest": dict(bundle.manifest.raw)}
    if importlib.util.find_spec("onnx"):  # an edge device that only serves has no onnx: there the manifest must do
        files = {name: variant["file"] for name, variant in bundle.manifest.variants.items()}
        result["graphs"] = {name: inspect_onnx(path / file) for name, file in files.items()}
    return result


def _inspect_run(path: Path) -> dict[str, Any]:
    from .run import open_run

    run = open_run(path)
    files = {
        file.relative_to(path).as_posix(): file.stat().st_size for file in sorted(path.rglob("*")) if file.is_file()
    }
    metrics = run.metrics if run.finished else None
    return {"kind": "run", "finished": run.finished, "config": run.config, "metrics": metrics, "files": files}


def _nodes(graph: Any) -> Iterator[Any]:
    """Every node of a graph and of the graphs inside its nodes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _nodes(inner)


def _operator(node: Any) -> str:
    return f"{node.domain}::{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type


def _value(onnx: Any, value: Any) -> dict[str, Any]:
    tensor = value.type.tensor_type
    shape = [dim.dim_param or (dim.dim_value if dim.HasField("dim_value") else None) for dim in tensor.shape.dim]
    return {"name": value.name, "type": onnx.TensorProto.DataType.Name(tensor.elem_type).lower(), "shape": shape}


def _size(dimensions: Iterable[int]) -> int:
    size = 1
    for dimension in dimensions:
        size *= dimension
    return size

"""Graphs once more in ONNX Runtime's own format, for builds of it that hold only the operators they need."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ..serving.manifest import graph_bytes
from .errors import ExportError

OPERATORS = "onnx/required_operators.config"
_LARGEST = 2**31  # bytes of a FlatBuffer, the form of an .ort file, weights included
_CLOSE = 1e-5  # largest difference between the outputs of two forms of one graph
_LENGTH = 4  # tokens of the row that they are compared on


def write_ort_files(folder: Path, files: Sequence[str]) -> None:
    """Writes an .ort file beside each graph, and the list of all operators in them.

    With the list, onnxruntime's build.py --include_ops_by_config makes a smaller library. The graphs in these files are
    optimised already, for the processors of this machine's kind.

    Args:
        folder: The bundle folder.
        files: The graphs' paths in it.

    Raises:
        ExportError: A graph is too large, or gives other values then.
    """
    from onnxruntime.tools.convert_onnx_models_to_ort import OptimizationStyle, convert_onnx_models_to_ort

    for file in files:
        size = graph_bytes(folder / file)
        if size >= _LARGEST:
            raise ExportError(
                f"An .ort file must have less than 2 GiB. Received: {size / 1e9:.1f} GB for {file}. "
                "Leave the .ort files out (--ort-format), or that variant (--variants)."
            )
        with contextlib.redirect_stdout(io.StringIO()):
            convert_onnx_models_to_ort(folder / file, optimization_styles=[OptimizationStyle.Fixed])
        graph = folder / file
        _compare(graph, graph.with_suffix(".ort"))
    lists = sorted((folder / "onnx").glob("*.required_operators.config"))
    lines = {
        line for each in lists for line in each.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#")
    }
    for each in lists:
        each.unlink()
    (folder / OPERATORS).write_text("".join(f"{line}\n" for line in _merged(lines)), encoding="utf-8")


def _merged(lines: set[str]) -> list[str]:
    """`domain;opset;operator,operator` of several graphs, those of a domain and opset on one line."""
    found: dict[str, set[str]] = {}
    for line in lines:
        head, _, names = line.rpartition(";")
        found.setdefault(head, set()).update(names.split(","))
    return [f"{head};{','.join(sorted(names))}" for head, names in sorted(found.items())]


def _compare(graph: Path, converted: Path) -> None:
    sessions = [onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in (graph, converted)]
    feeds = {node.name: _feed(node) for node in sessions[0].get_inputs()}
    for one, other in zip(*(session.run(None, feeds) for session in sessions), strict=True):
        difference = float(np.abs(one - other).max(initial=0))
        if not difference <= _CLOSE * max(1.0, float(np.abs(one).max(initial=0))):
            raise ExportError(
                f"{converted.name} must give what {graph.name} gives. Received: values {difference:.2g} apart."
            )


def _feed(node: Any) -> np.ndarray:
    """A row of a few tokens, nothing before them."""
    if node.type != "tensor(int64)":  # keys and values of what came before
        sizes = [size if isinstance(size, int) else 0 for size in node.shape]
        return np.zeros([1, *sizes[1:]], np.float16 if node.type == "tensor(float16)" else np.float32)
    values = {"attention_mask": np.ones(_LENGTH), "token_type_ids": np.zeros(_LENGTH)}
    return values.get(node.name, np.arange(_LENGTH)).astype(np.int64)[None]

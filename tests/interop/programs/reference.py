"""onnx's reference evaluator: the operators' definitions in numpy, slow and independent of every runtime."""

from pathlib import Path

import raw
from onnx.reference import ReferenceEvaluator


def opened(file: Path) -> raw.Run:
    graph = ReferenceEvaluator(str(file))
    inputs = set(graph.input_names)
    return lambda feeds: dict(
        zip(graph.output_names, graph.run(None, {k: v for k, v in feeds.items() if k in inputs}), strict=True)
    )


raw.run(opened)

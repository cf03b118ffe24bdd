"""Position embedding: the rows of a table for positions 0, 1, 2, ..."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ..graph import Graph
from .registry import lowers


def _counts_from_a_number(layer: Any, arguments: dict[str, Any]) -> bool:
    return isinstance(arguments["start_index"], int) and arguments["positions"] is None


@lowers("keras_hub>PositionEmbedding", when=_counts_from_a_number)
def position_embedding(graph: Graph, layer: Any, x: ir.Value, start_index: int = 0, positions: None = None) -> ir.Value:
    """x [..., sequence, hidden], of which only the shape is read -> the table's rows from `start_index` on, as many."""
    start = np.array([start_index])
    length = graph.op("Shape", x, start=-2, end=-1)
    end = graph.op("Add", length, start) if start_index else length
    rows = graph.op("Slice", graph.variable(layer.position_embeddings), start, end, np.array([0]))
    return graph.op("Expand", rows, graph.op("Shape", x))

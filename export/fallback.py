"""The last road: tf2onnx, for one operation alone."""

from typing import Any

from .errors import ExportError
from .graph import Graph


def convert(graph: Graph, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Converts one operation through TensorFlow and inlines the piece.

    Raises:
        ExportError: The operation cannot be exported exactly.
    """
    raise ExportError(
        f"Every operation of a model must have an exact ONNX form. Received: {operation.name!r} of class "
        f"{type(operation).__name__}, which has none. Replace it by layers or keras.ops that do, or leave it out."
    )

"""Export a Keras model to a verified ONNX bundle.

from kerasllm.export import export_bundle

export_bundle(model, "bundle", tokenizer="tokenizer.json", labels=["negative", "positive"])
"""

from importlib import import_module
from typing import Any

from ..extras import require
from .errors import ExportError

__all__ = ["ExportError", "export_bundle", "export_run", "export_source"]


def __getattr__(name: str) -> Any:
    """Imports the exporter, and with it Keras and the ONNX packages, when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require("export", "keras")
    require("export", "onnx_ir")
    return getattr(import_module(".sources", __name__), name)

"""Export a Keras model to a verified ONNX bundle.

from kerasllm.export import export_bundle

export_bundle(model, "bundle", tokenizer="tokenizer.json", labels=["negative", "positive"])
"""

from typing import Any

from .errors import ExportError

__all__ = ["ExportError", "export_bundle", "export_run"]


def __getattr__(name: str) -> Any:
    """Imports the exporter, and with it Keras and the ONNX packages, when it is first asked for."""
    if name in ("export_bundle", "export_run"):
        from . import bundle, sources

        return {"export_bundle": bundle.export_bundle, "export_run": sources.export_run}[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

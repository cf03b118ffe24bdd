"""Write kerasllm.json, the manifest of a bundle."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import onnxruntime

from .. import __version__
from ..serving.cpu import read_cpu
from ..serving.manifest import FORMAT, MANIFEST, graph_bytes
from .signature import Signature

# What is served when nobody says which.
_PREFERRED = ("int8", "static", "fp32", "portable")
# The card is for people, who may edit it; the manifest cannot hold its own digest.
_UNLISTED = (MANIFEST, "README.md")


def new_manifest(
    signature: Signature,
    labels: Sequence[str],
    multi_label: bool,
    settings: Mapping[str, Any],
    outputs: Sequence[str],
    variants: Sequence[str],
    provenance: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The manifest as far as it is known before anything is written or measured.

    Args:
        signature: The task, and how the model is called.
        labels: Names of the classes, where there are any.
        multi_label: Whether a text can have several labels.
        settings: The task's settings.
        outputs: Names of the graph's outputs.
        variants: The variants that the bundle will have.
        provenance: Where the model came from.
    """
    versions = {"keras": keras.__version__, "backend": keras.backend.backend(), "onnxruntime": onnxruntime.__version__}
    return {
        "format": FORMAT,
        "producer": {"name": "kerasllm", "version": __version__, **versions},
        "task": signature.task,
        "labels": list(labels),
        "multi_label": multi_label,
        "activation": signature.activation,
        "preprocessing": {
            "max_length": signature.max_length,
            "pad_token_id": signature.pad_token_id,
            "padding": signature.padding,
            "padding_side": signature.padding_side,
        },
        "inputs": dict(signature.inputs),
        "outputs": list(outputs),
        "settings": dict(settings),
        "default_variant": next(name for name in _PREFERRED if name in variants),
        "variants": {},
        "files": {},
        "provenance": dict(provenance or {}),
        "cpu": asdict(read_cpu()),
    }


def write_manifest(folder: Path, manifest: dict[str, Any], variants: Mapping[str, Mapping[str, Any]]) -> None:
    """Completes the manifest with what lies in the folder, and writes it.

    Args:
        folder: The bundle folder.
        manifest: What `new_manifest` gave; its "variants" and "files" are filled in.
        variants: Variant to its record: "file", and what was measured.
    """
    manifest["variants"] = {
        name: {"bytes": graph_bytes(folder / record["file"]), **record} for name, record in variants.items()
    }
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in _UNLISTED)
    manifest["files"] = {path.relative_to(folder).as_posix(): _file_record(path) for path in paths}
    (folder / MANIFEST).write_bytes(as_json(manifest))


def _file_record(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def as_json(document: Any) -> bytes:
    """A document as the bytes of a JSON file."""
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()

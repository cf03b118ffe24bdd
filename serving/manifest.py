"""Read kerasllm.json, the manifest of a bundle, and check its form before anything in it is used."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import BundleError

MANIFEST = "kerasllm.json"
FORMAT = 1
_ACTIVATIONS = ("softmax", "sigmoid", "none")
_ROLES = ("input_ids", "attention_mask", "token_type_ids", "position_ids")


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How token ids become the arrays that the graph reads."""

    max_length: int
    """Most tokens of a text; what is longer is cut at the end."""
    pad_token_id: int = 0
    """The id that fills short rows."""
    padding: str = "longest"
    """"longest": rows of a batch are padded to its longest; "max_length": always to max_length."""
    padding_side: str = "right"
    """Where the padding goes: "right" or "left"."""


@dataclass(frozen=True, kw_only=True)
class CacheShape:
    """What a decoder keeps of earlier tokens: keys and values, [batch, kv_heads, tokens, head_size] in every layer."""

    layers: int = 0
    """Layers; 0: the graph keeps nothing, since it is no decoder."""
    kv_heads: int = 0
    """Heads of keys and values."""
    head_size: int = 0
    """Width of a head."""


@dataclass(frozen=True, kw_only=True)
class FileRecord:
    """What a file of the bundle must be."""

    bytes: int
    """Size in bytes."""
    sha256: str
    """Digest, 64 hexadecimal digits."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The checked contents of kerasllm.json."""

    task: str
    """Name of a Hugging Face pipeline, such as "text-classification"."""
    labels: tuple[str, ...]
    """Names of the classes, in the order of the scores."""
    multi_label: bool
    """Whether a text can have several labels."""
    activation: str
    """What still has to be applied to the graph's output: "softmax", "sigmoid" or "none"."""
    preprocessing: Preprocessing
    """Limits and padding of the token ids."""
    inputs: Mapping[str, str]
    """Role ("input_ids", "attention_mask", "token_type_ids", "position_ids") to the graph's own name of that input."""
    outputs: tuple[str, ...] = ()
    """Names of the outputs that the task reads; none named: all that the graph has."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What the task alone has to know, such as the pooling of an embedding."""
    cache: CacheShape = CacheShape()
    """What a decoder keeps of earlier tokens."""
    default_variant: str
    """The variant that is served when none is named."""
    variants: Mapping[str, Mapping[str, Any]]
    """Variant name to its record: "file", "bytes" and what was measured."""
    files: Mapping[str, FileRecord]
    """Relative path to size and digest, for every file but the manifest itself."""
    raw: Mapping[str, Any]
    """The whole document, as it was read."""

    def variant_files(self, variant: str) -> tuple[str, ...]:
        """The file of a variant's graph, and that of its weights where they lie beside it."""
        file = self.variants[variant]["file"]
        return (file, data_file(file)) if data_file(file) in self.files else (file,)

    def setting(self, key: str, default: Any) -> Any:
        """A setting of the task.

        Args:
            key: Its name.
            default: What it is where the manifest does not say; it gives the type, too.

        Raises:
            BundleError: It is of another type.
        """
        return _field(self.settings, key, type(default)) if key in self.settings else default


def data_file(graph: str) -> str:
    """Where the weights of a graph lie that are not in its own file: the name that other programs look for."""
    return f"{graph}_data"


def graph_bytes(graph: Path) -> int:
    """Size of a graph's file, and of that of its weights where they lie beside it."""
    beside = Path(data_file(str(graph)))
    return graph.stat().st_size + (beside.stat().st_size if beside.is_file() else 0)


def parse_manifest(data: bytes) -> Manifest:
    """Parses and checks a manifest.

    Args:
        data: The bytes of kerasllm.json.

    Returns:
        The manifest; every path in it is relative and stays in the folder.

    Raises:
        BundleError: The document is not JSON, of a newer format, or lacks what a bundle must have.
    """
    raw = parse_object(data, MANIFEST)
    form = _field(raw, "format", int)
    if form > FORMAT:
        raise BundleError(
            f"This version of kerasllm reads bundles of format {FORMAT} or lower. Received: format {form}. "
            "Upgrade kerasllm, or export the model again with this version."
        )
    files = {_inside(name): _file_record(name, record) for name, record in _field(raw, "files", dict).items()}
    variants = _field(raw, "variants", dict)
    for name, variant in variants.items():
        if not isinstance(variant, dict) or variant.get("file") not in files:
            raise BundleError(f"{MANIFEST} is damaged: the file of variant {name!r} is not among its files.")
    default = _field(raw, "default_variant", str)
    if default not in variants:
        raise BundleError(f"{MANIFEST} is damaged: the default variant {default!r} is not among {sorted(variants)}.")
    labels = _field(raw, "labels", list)
    return Manifest(
        task=_field(raw, "task", str),
        labels=tuple(str(label) for label in labels),
        multi_label=_field(raw, "multi_label", bool),
        activation=_choice("activation", _field(raw, "activation", str), _ACTIVATIONS),
        preprocessing=_preprocessing(_field(raw, "preprocessing", dict)),
        inputs={_choice("inputs", role, _ROLES): str(name) for role, name in _field(raw, "inputs", dict).items()},
        outputs=tuple(str(name) for name in _optional(raw, "outputs", list)),
        settings=_optional(raw, "settings", dict),
        cache=_cache(_optional(raw, "cache", dict)),
        default_variant=default,
        variants=variants,
        files=files,
        raw=raw,
    )


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in `data`; BundleError naming the file where there is none."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{name} is damaged: it is not valid JSON ({error}). Export or copy the bundle again."
        ) from None
    if not isinstance(document, dict):
        raise BundleError(f"{name} is damaged: it must hold a JSON object. Received: {type(document).__name__}.")
    return document


def _preprocessing(raw: dict[str, Any]) -> Preprocessing:
    max_length, pad = _field(raw, "max_length", int), raw.get("pad_token_id", 0)
    if max_length < 1 or not isinstance(pad, int):
        raise BundleError(f"{MANIFEST} is damaged: preprocessing needs a positive max_length and a whole pad_token_id.")
    return Preprocessing(
        max_length=max_length,
        pad_token_id=pad,
        padding=_choice("padding", raw.get("padding", "longest"), ("longest", "max_length")),
        padding_side=_choice("padding_side", raw.get("padding_side", "right"), ("right", "left")),
    )


def _cache(raw: dict[str, Any]) -> CacheShape:
    if not raw:
        return CacheShape()
    sizes = {key: _field(raw, key, int) for key in ("layers", "kv_heads", "head_size")}
    if min(sizes.values()) < 1:
        raise BundleError(f"{MANIFEST} is damaged: the sizes of the cache must be positive. Received: {sizes}.")
    return CacheShape(**sizes)


def _file_record(name: str, record: Any) -> FileRecord:
    if not isinstance(record, dict):
        raise BundleError(f"{MANIFEST} is damaged: the record of {name!r} must be an object.")
    return FileRecord(bytes=_field(record, "bytes", int), sha256=_field(record, "sha256", str))


def _field(mapping: Mapping[str, Any], key: str, kind: type) -> Any:
    value = mapping.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BundleError(
            f"{MANIFEST} is damaged or of another program: {key!r} must be of type {kind.__name__}. "
            f"Received: {type(value).__name__}."
        )
    return value


def _optional(mapping: Mapping[str, Any], key: str, kind: type) -> Any:
    """A field that bundles of before encoders lack: then an empty one."""
    return _field(mapping, key, kind) if key in mapping else kind()


def _choice(key: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise BundleError(f"{MANIFEST} is damaged: {key!r} must be one of {allowed}. Received: {value!r}.")
    return value


def _inside(name: str) -> str:
    """`name`, if it is a relative path with forward slashes that cannot leave its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or name != str(path) or not path.parts:
        raise BundleError(f"Every path of a bundle must be relative and stay in its folder. Received: {name!r}.")
    return name

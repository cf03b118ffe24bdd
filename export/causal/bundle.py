"""A decoder's bundle: lower, quantize, write, verify through the very door that serves it, then rename."""

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import onnx_ir as ir
import onnxruntime
from tokenizers import Tokenizer

from ... import __version__
from ...atomic import new_folder
from ...serving.cpu import read_cpu
from ...serving.manifest import FORMAT
from ..card import model_card
from ..graph_file import announce_data, remove_graph, write_graph
from ..manifest import write_manifest
from ..ort_format import write_ort_files
from ..variants import check_variants
from .companions import companions
from .half import to_half
from .lowering import lower_causal
from .quantized import Bits, quantize_causal
from .reading import CausalParts, read_parts
from .settings import generation_settings
from .standard import measure_standard
from .verification import check_rise, measure_causal, random_rows

FILES = {
    "fp32": "onnx/model.onnx",
    "int8": "onnx/model_quantized.onnx",
    "int4": "onnx/model_q4.onnx",
    "fp16": "onnx/model_fp16.onnx",
    "portable": "onnx/model_std.onnx",
}
# What is served when nobody says which.
_PREFERRED = ("int8", "int4", "fp32", "fp16")
_ROLES = ("input_ids", "attention_mask", "position_ids")


def export_causal(
    model: Any,
    out: Path,
    *,
    tokenizer: Tokenizer,
    settings: Mapping[str, Any],
    variants: Sequence[str],
    max_length: int | None,
    validation: Sequence[Any] | None,
    max_drop: float,
    ort_format: bool,
    inline_limit: int,
    overwrite: bool,
    provenance: Mapping[str, Any] | None,
    on_step: Callable[[str], object],
) -> dict[str, Any]:
    """Exports a KerasHub CausalLM; arguments, result and errors are those of `export_bundle`."""
    _check_variants(variants)
    parts = read_parts(model, max_length)
    resolved, template = generation_settings(settings, tokenizer, parts)
    default = next(name for name in _PREFERRED if name in variants)
    examples = list(validation) if validation else []
    manifest = _manifest(parts, resolved, default, provenance)
    with new_folder(out, overwrite=overwrite) as folder:
        for name, data in companions(parts, tokenizer, resolved, template, FILES[default]).items():
            (folder / name).write_bytes(data)
        records = _write_variants(folder, parts, dict.fromkeys(["fp32", *variants]), inline_limit, on_step)
        if ort_format:
            write_ort_files(folder, [FILES[name] for name in variants])
        served = [name for name in records if name != "portable"]
        write_manifest(folder, manifest, records)
        on_step("verifying")
        for name, measured in measure_causal(model, parts, folder, served, examples).items():
            records[name] |= measured
            check_rise(name, records[name], records["fp32"], max_drop)
        if "portable" in records:
            records["portable"] |= measure_standard(model, parts, folder / FILES["portable"], random_rows(parts))
        if "fp32" not in variants:
            remove_graph(folder, FILES["fp32"])  # it was there to compare with
        announce_data(folder, [FILES[name] for name in variants])
        write_manifest(folder, manifest, {name: records[name] for name in variants})
        (folder / "README.md").write_text(model_card(manifest, out.name), encoding="utf-8")
    return manifest


def _check_variants(variants: Sequence[str]) -> None:
    check_variants(variants, FILES)
    if set(variants) == {"portable"}:
        raise ValueError("kerasllm cannot serve portable alone. Received: variants portable. Add fp32.")


def _write_variants(
    folder: Path, parts: CausalParts, variants: Iterable[str], inline_limit: int, on_step: Callable[[str], object]
) -> dict[str, dict[str, Any]]:
    """Writes each variant's graph; returns what the manifest says of it before it is measured."""
    on_step("lowering")
    lowered = lower_causal(parts)
    on_step("writing")
    records = {}
    for name in variants:
        graph, facts = _variant(name, lowered, parts)
        write_graph(graph, folder, FILES[name], inline_limit)
        records[name] = {"file": FILES[name], "saturates": False, **facts}
    del lowered, graph
    gc.collect()  # a graph refers to itself in circles, and its weights are as large as the model
    return records


def _variant(name: str, lowered: ir.Model, parts: CausalParts) -> tuple[ir.Model, dict[str, Any]]:
    """The graph of a variant, and what became of its weights."""
    if name in ("int8", "int4"):
        graph, coverage = quantize_causal(lowered, _bits(name, parts))
        return graph, {"coverage": coverage}
    if name == "portable":
        return lower_causal(parts, portable=True), {}
    return (to_half(lowered) if name == "fp16" else lowered), {}


def _bits(variant: str, parts: CausalParts) -> Callable[[str], Bits]:
    """Bits of each weight: with int4, the first and the last layer keep 8, and so does the head.

    What they lose, no layer after them makes good, and all layers of a small model are first or last.
    """
    outer = (f"{parts.layers[0].name}/", f"{parts.layers[-1].name}/")

    def bits_of(name: str) -> Bits:
        inside = any(name.startswith(f"{layer.name}/") for layer in parts.layers)
        return 4 if variant == "int4" and inside and not name.startswith(outer) else 8

    return bits_of


def _manifest(
    parts: CausalParts, settings: Mapping[str, Any], default: str, provenance: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The manifest as far as it is known before anything is written or measured."""
    versions = {"keras": keras.__version__, "backend": keras.backend.backend(), "onnxruntime": onnxruntime.__version__}
    ends = settings["eos_token_ids"]
    return {
        "format": FORMAT,
        "producer": {"name": "kerasllm", "version": __version__, **versions},
        "task": "text-generation",
        "labels": [],
        "multi_label": False,
        "activation": "none",
        "preprocessing": {
            "max_length": parts.context,
            "pad_token_id": ends[0] if ends else 0,
            "padding": "longest",
            "padding_side": "right",
        },
        "inputs": {role: role for role in _ROLES},
        "outputs": ["logits"],
        "cache": {"layers": len(parts.layers), "kv_heads": parts.kv_heads, "head_size": parts.head_size},
        "settings": dict(settings),
        "default_variant": default,
        "variants": {},
        "files": {},
        "provenance": dict(provenance or {}),
        "cpu": asdict(read_cpu()),
    }

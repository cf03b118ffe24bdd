"""Export a model to a bundle: lower, quantize, write, verify through the very door that serves it, then rename."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import keras
import onnx_ir as ir
import tokenizers

from ..atomic import check_new, new_folder
from ..data.dataset import Split
from ..tokenizer import load_tokenizer, tokenizer_json
from .card import model_card
from .compiler import lower_model
from .configs import classifier_config, special_tokens, tokenizer_config
from .freeing import free_sizes
from .head import expose_logits
from .manifest import as_json, new_manifest, write_manifest
from .passes import optimise
from .quantization import quantize
from .signature import Activation, Side, Signature, read_signature
from .verification import check_drop, measure_variants

Variant = Literal["fp32", "int8"]
# Operators that, for one text, multiply one row by a matrix at every step: onnxruntime's packed matrices are made for
# many rows, and slow that down by a quarter. DynamicQuantizeLSTM cannot do without (benchmarks/LOG.md).
_ONE_ROW_A_STEP = {"LSTM", "GRU", "RNN"}
FILES: dict[str, str] = {"fp32": "onnx/model.onnx", "int8": "onnx/model_quantized.onnx"}


def export_bundle(
    model: keras.Model,
    out: str | Path,
    *,
    tokenizer: tokenizers.Tokenizer | str | Path,
    labels: Sequence[str],
    task: str = "text-classification",
    variants: Sequence[Variant] = ("fp32", "int8"),
    multi_label: bool = False,
    max_length: int | None = None,
    activation: Activation | None = None,
    padding_side: Side | None = None,
    validation: Split | None = None,
    max_drop: float = 0.005,
    overwrite: bool = False,
    provenance: Mapping[str, Any] | None = None,
    on_step: Callable[[str], object] = lambda step: None,
) -> dict[str, Any]:
    """Exports a Keras classifier to a bundle folder, which is whole and verified, or absent.

    The fp32 graph must give what Keras gives within 1e-4 on real and random batches. Every other variant must keep the
    task's metric on `validation`, where that is given.

    Args:
        model: A functional or sequential model from token ids [batch, sequence], and at most an attention_mask beside
            them, to scores [batch, labels] (or [batch, 1] for two labels).
        out: The bundle folder to make.
        tokenizer: The tokenizer that the model was trained with, or its tokenizer.json.
        labels: Names of the classes, in the order of the scores.
        task: The Hugging Face name of the task; "text-classification" is the one there is.
        variants: Which of "fp32" and "int8" to write. int8, where asked for, is the bundle's default.
        multi_label: Whether a text can have several labels.
        max_length: Tokens kept of a text; None: the model's own fixed length, else 256.
        activation: What makes probabilities of the output; None: read off the model's last layer.
        padding_side: Where the model was trained to find padding; needed only if the model cares.
        validation: Labelled texts to take the metric on.
        max_drop: Most that a variant may lose of the metric (accuracy, or micro F1 for multi-label), 0 to 1.
        overwrite: Replace a bundle that is there.
        provenance: Where the model came from, for the manifest.
        on_step: Told the name of each step as it begins.

    Returns:
        The manifest, as kerasllm.json has it: sizes, parity, metric, latency of every variant, CPU.

    Raises:
        ValueError: The request makes no sense: model, tokenizer and labels do not fit.
        FileExistsError: `out` holds something and `overwrite` is off.
        ExportError: A layer cannot be lowered, the graph differs from Keras, or a variant loses too much.
        OSError: The disk is full or the folder cannot be written.
    """
    _check_request(task, variants, labels)
    if not overwrite:
        check_new(Path(out))  # before the work, not after it
    if not isinstance(tokenizer, tokenizers.Tokenizer):
        tokenizer = load_tokenizer(Path(tokenizer))
    model = free_sizes(model)
    signature = read_signature(
        model,
        tokenizer,
        labels,
        multi_label=multi_label,
        max_length=max_length,
        activation=activation,
        padding_side=padding_side,
    )
    on_step("lowering")
    graphs, facts = _graphs(model, signature, labels, variants)
    manifest = new_manifest(task, labels, multi_label, signature, variants, provenance)
    with new_folder(Path(out), overwrite=overwrite) as folder:
        on_step("writing")
        _write_files(folder, _companions(tokenizer, signature, labels, multi_label, model))
        _write_files(folder, {FILES[name]: graph for name, graph in graphs.items()})
        records = {name: {"file": FILES[name], **facts[name]} for name in graphs}
        write_manifest(folder, manifest, records)
        on_step("verifying")
        for name, measured in measure_variants(model, folder, signature, list(graphs), validation).items():
            records[name] |= measured
            check_drop(name, records[name], records["fp32"], max_drop)
        if "fp32" not in variants:
            (folder / FILES["fp32"]).unlink()  # it was there to compare with
        write_manifest(folder, manifest, {name: records[name] for name in variants})
        (folder / "README.md").write_text(model_card(manifest, Path(out).name), encoding="utf-8")
    return manifest


def _check_request(task: str, variants: Sequence[str], labels: Sequence[str]) -> None:
    if task != "text-classification":
        raise ValueError(f"The task must be 'text-classification', the one that can be exported. Received: {task!r}.")
    if not variants or set(variants) - set(FILES) or len(set(variants)) != len(variants):
        raise ValueError(f"Variants must be distinct and among {list(FILES)}. Received: {list(variants)}.")
    if not labels or len(set(labels)) != len(labels):
        raise ValueError(f"Labels must be distinct names, one at least. Received: {list(labels)}.")


def _graphs(
    model: keras.Model, signature: Signature, labels: Sequence[str], variants: Sequence[str]
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The serialised graph of each variant (fp32 always), and what the manifest says of it before it is measured."""
    # Where nothing is left to apply, the output is no logits, and its name stays the model's own.
    outputs = ["logits"] if signature.activation != "none" else None
    lowered = lower_model(model, input_names=list(signature.inputs.values()), output_names=outputs)
    expose_logits(lowered, signature)
    lowered = optimise(lowered)
    lowered.metadata_props["labels"] = json.dumps(list(labels), ensure_ascii=False)
    graphs = {"fp32": _serialise(lowered)}
    facts: dict[str, Any] = {"fp32": {"prepack": _prepack(lowered)}}
    if "int8" in variants:
        quantized, covered = quantize(lowered)
        graphs["int8"] = _serialise(quantized)
        # Its weights are rounded so that products are exact on every CPU: serving need not guard them.
        facts["int8"] = {"coverage": asdict(covered), "saturates": False, "prepack": _prepack(quantized)}
    return graphs, facts


def _prepack(model: ir.Model) -> bool:
    """Whether onnxruntime should pack the weights: for float recurrent operators it should not."""
    found = {node.op_type for node in model.graph}
    return not found & _ONE_ROW_A_STEP or "DynamicQuantizeLSTM" in found


def _serialise(model: ir.Model) -> bytes:
    return ir.to_proto(model).SerializeToString()


def _companions(
    tokenizer: tokenizers.Tokenizer, signature: Signature, labels: Sequence[str], multi_label: bool, model: keras.Model
) -> dict[str, bytes]:
    """The files beside the graphs."""
    hidden = max((layer.units for layer in model._flatten_layers() if hasattr(layer, "units")), default=1)
    documents: dict[str, Any] = {
        "config.json": classifier_config(signature, labels, multi_label=multi_label, hidden=hidden),
        "tokenizer_config.json": tokenizer_config(tokenizer, signature),
        "special_tokens_map.json": special_tokens(tokenizer),
    }
    return {"tokenizer.json": tokenizer_json(tokenizer).encode()} | {name: as_json(d) for name, d in documents.items()}


def _write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

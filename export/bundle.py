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
from ..tokenizing.tokenizer import load_tokenizer, tokenizer_json
from .card import model_card
from .causal.bundle import export_causal
from .compiler import functional_graph, lower_model
from .configs import model_config, sentence_files
from .forms import TaskForm, form_of
from .freeing import free_sizes
from .graph_file import INLINE_LIMIT, announce_data, remove_graph, write_graph
from .head import expose_logits
from .interface import ROLES
from .manifest import as_json, new_manifest, write_manifest
from .ort_format import write_ort_files
from .passes import optimise
from .quantization import quantize
from .settings import task_settings
from .signature import Activation, Side, Signature, read_signature
from .variants import check_variants
from .verification import calibration_feeds, check_drop, measure_variants
from .vocabulary import special_tokens, tokenizer_config

Variant = Literal["fp32", "int8", "int4", "fp16", "static", "portable"]
# Operators that, for one text, multiply one row by a matrix at every step: onnxruntime's packed matrices are made for
# many rows, and slow that down by a quarter. DynamicQuantizeLSTM cannot do without (benchmarks/LOG.md).
_ONE_ROW_A_STEP = {"LSTM", "GRU", "RNN"}
_RECURRENT = {*_ONE_ROW_A_STEP, "DynamicQuantizeLSTM"}
# Most tokens of a run of several texts, where no operator goes step by step: what a run computes then stays in the
# processor's cache, and texts of like length share it (benchmarks/LOG.md).
_BATCH_TOKENS = 128
FILES: dict[str, str] = {
    "fp32": "onnx/model.onnx",
    "int8": "onnx/model_quantized.onnx",
    "static": "onnx/model_int8.onnx",
    "portable": "onnx/model_std.onnx",
}


def export_bundle(
    model: keras.Model,
    out: str | Path,
    *,
    tokenizer: tokenizers.Tokenizer | str | Path,
    labels: Sequence[str] = (),
    task: str = "text-classification",
    settings: Mapping[str, Any] | None = None,
    variants: Sequence[Variant] = ("fp32", "int8"),
    multi_label: bool = False,
    max_length: int | None = None,
    activation: Activation | None = None,
    padding_side: Side | None = None,
    validation: Any = None,
    max_drop: float = 0.005,
    ort_format: bool = False,
    inline_limit: int = INLINE_LIMIT,
    overwrite: bool = False,
    provenance: Mapping[str, Any] | None = None,
    on_step: Callable[[str], object] = lambda step: None,
) -> dict[str, Any]:
    """Exports a Keras model to a bundle folder, which is whole and verified, or absent.

    The fp32 graph must give what Keras gives within 1e-4 on real and random batches. Every other variant must keep the
    task's metric on `validation`, where that is given.

    Args:
        model: For text-generation a KerasHub CausalLM (GPT2, Llama, Mistral, Qwen or Qwen3); else a functional or
            sequential model from token ids [batch, sequence], and at most an attention_mask and
            token_type_ids beside them, to the outputs of the task, by name or in this order: text-classification
            `logits` [batch, labels] (or [batch, 1] for two labels); token-classification `logits` [batch, sequence,
            labels]; question-answering `start_logits` and `end_logits` [batch, sequence]; feature-extraction
            `last_hidden_state` [batch, sequence, hidden] and `sentence_embedding` [batch, hidden]; fill-mask `logits`
            [batch, sequence, vocabulary].
        out: The bundle folder to make.
        tokenizer: The tokenizer that the model was trained with, or its tokenizer.json.
        labels: Names of the classes, in the order of the scores, where the task has classes.
        task: The Hugging Face name of the task.
        settings: What the runtime must know of the task beside the model: see `settings.task_settings`.
        variants: Which to write: "fp32"; "int8", which takes the ranges of activations as they come, and is the
            bundle's default where it is asked for; "static", int8 with ranges fixed by the validation examples, so that
            a text's answer does not move with its batch mates; "portable", fp32 of standard ONNX operators alone, for
            other runtimes. For text-generation "int8" and "int4" store weights in as many bits, and "fp16" is for
            GPUs.
        multi_label: Whether a text can have several labels.
        max_length: Tokens kept of a text; None: the model's own fixed length, or its positions, else 256.
        activation: What makes probabilities of the output; None: read off the model's last layer.
        padding_side: Where the model was trained to find padding; needed only if the model cares.
        validation: Examples of the task to take the metric on, as its data are read: see `kerasllm.evaluation.report`.
        max_drop: Most that a variant may lose of the metric, 0 to 1; for text-generation, by which share perplexity
            may rise, for int4 ten times as much.
        ort_format: Also write each graph as an .ort file, and the operators of all: see `ort_format.write_ort_files`.
        inline_limit: Most bytes of weights that a graph's file holds itself; more lie beside it, in a file that
            onnxruntime maps into memory. The default is what the format can hold.
        overwrite: Replace a bundle that is there.
        provenance: Where the model came from, for the manifest.
        on_step: Told the name of each step as it begins.

    Returns:
        The manifest, as kerasllm.json has it: sizes, parity, metric, latency of every variant, CPU.

    Raises:
        ValueError: The request makes no sense: model, task, tokenizer and labels do not fit.
        FileExistsError: `out` holds something and `overwrite` is off.
        ExportError: A layer cannot be lowered, the graph differs from Keras, or a variant loses too much.
        OSError: The disk is full or the folder cannot be written.
    """
    _check_request(task, variants, labels, validation)
    if not overwrite:
        check_new(Path(out))  # before the work, not after it
    if not isinstance(tokenizer, tokenizers.Tokenizer):
        tokenizer = load_tokenizer(Path(tokenizer))
    if task == "text-generation":
        return export_causal(
            model,
            Path(out),
            tokenizer=tokenizer,
            settings=settings or {},
            variants=variants,
            max_length=max_length,
            validation=validation,
            max_drop=max_drop,
            ort_format=ort_format,
            inline_limit=inline_limit,
            overwrite=overwrite,
            provenance=provenance,
            on_step=on_step,
        )
    model = free_sizes(model)
    signature = read_signature(
        model,
        tokenizer,
        labels,
        task=task,
        multi_label=multi_label,
        max_length=max_length,
        activation=activation,
        padding_side=padding_side,
    )
    resolved = task_settings(task, settings or {}, signature.probe(model), tokenizer)
    companions = _companions(model, tokenizer, signature, labels, multi_label, resolved)  # before layers are replayed
    on_step("lowering")
    lowered = _lowered(model, signature, labels)
    outputs = [str(value.name) for value in lowered.graph.outputs]
    manifest = new_manifest(signature, labels, multi_label, resolved, outputs, variants, provenance)
    with new_folder(Path(out), overwrite=overwrite) as folder:
        on_step("writing")
        _write_files(folder, companions)
        records: dict[str, dict[str, Any]] = {"fp32": _write_graph(folder, "fp32", lowered, inline_limit)}
        if "int8" in variants:
            records["int8"] = _write_quantized(folder, "int8", lowered, inline_limit)
        if "static" in variants:
            write_manifest(folder, manifest, records)
            feeds = calibration_feeds(folder, signature, validation)
            records["static"] = _write_quantized(folder, "static", lowered, inline_limit, calibration=feeds)
        if "portable" in variants:
            graph = _lowered(model, signature, labels, portable=True)
            records["portable"] = _write_graph(folder, "portable", graph, inline_limit)
        write_manifest(folder, manifest, records)
        on_step("verifying")
        for name, measured in measure_variants(model, folder, signature, list(records), validation).items():
            records[name] |= measured
            check_drop(name, records[name], records["fp32"], max_drop)
        if "fp32" not in variants:
            remove_graph(folder, FILES["fp32"])  # it was there to compare with
        if ort_format:
            write_ort_files(folder, [FILES[name] for name in variants])
        announce_data(folder, [FILES[name] for name in variants])
        write_manifest(folder, manifest, {name: records[name] for name in variants})
        (folder / "README.md").write_text(model_card(manifest, Path(out).name), encoding="utf-8")
    return manifest


def _check_request(task: str, variants: Sequence[str], labels: Sequence[str], validation: Any) -> None:
    if task == "text-generation":
        return  # it has variants of its own, and no labels
    has_labels = any("labels" in axes for axes in form_of(task).outputs.values())
    check_variants(variants, FILES)
    if "static" in variants and not validation:
        raise ValueError(
            "The variant static takes ranges from examples. Received: no validation examples. Give some (validation, "
            "--validation), or leave static out."
        )
    if has_labels and (not labels or len(set(labels)) != len(labels)):
        raise ValueError(f"Labels must be distinct names, one at least. Received: {list(labels)}.")
    if labels and not has_labels:
        raise ValueError(f"A {task} model has no labels. Received: {list(labels)}. Leave them out.")


def _write_graph(folder: Path, variant: str, graph: ir.Model, inline_limit: int) -> dict[str, Any]:
    """Writes a variant's graph; returns what the manifest says of it before it is measured."""
    write_graph(graph, folder, FILES[variant], inline_limit)
    recurrent = bool({node.op_type for node in graph.graph} & _RECURRENT)
    return {"file": FILES[variant], "prepack": _prepack(graph), "batch_tokens": None if recurrent else _BATCH_TOKENS}


def _write_quantized(
    folder: Path, variant: str, lowered: ir.Model, inline_limit: int, **options: Any
) -> dict[str, Any]:
    quantized, covered = quantize(lowered, **options)
    # Its weights are rounded so that products are exact on every CPU: serving need not guard them.
    return {**_write_graph(folder, variant, quantized, inline_limit), "coverage": asdict(covered), "saturates": False}


def _lowered(model: keras.Model, signature: Signature, labels: Sequence[str], **options: Any) -> ir.Model:
    """The clean fp32 graph, with the task's inputs and outputs in the order in which people expect them."""
    # Where nothing is left to apply, a classifier's output is no logits, and its name stays the model's own.
    own = signature.task == "text-classification" and signature.activation == "none"
    lowered = lower_model(
        model,
        input_names=list(signature.inputs.values()),
        output_names=None if own else list(signature.outputs),
        **options,
    )
    expose_logits(lowered, signature)
    lowered = optimise(lowered)
    graph = lowered.graph
    roles = {name: ROLES.index(role) for role, name in signature.inputs.items()}
    graph.inputs[:] = sorted(graph.inputs, key=lambda value: roles[str(value.name)])
    if len(graph.outputs) > 1:
        graph.outputs[:] = sorted(graph.outputs, key=lambda value: list(signature.form.outputs).index(str(value.name)))
    _name_axes(graph, signature.form)
    lowered.metadata_props["labels"] = json.dumps(list(labels), ensure_ascii=False)
    return lowered


def _name_axes(graph: ir.Graph, form: TaskForm) -> None:
    """Outputs are as long as the inputs, by the same names, whatever shape inference could follow."""
    batch, sequence = graph.inputs[0].shape or (None, None)
    for output in graph.outputs:
        axes = form.outputs.get(str(output.name))
        if axes is not None and output.shape is not None and len(output.shape) == len(axes):
            known = {"batch": batch, "sequence": sequence}
            output.shape = ir.Shape([known.get(axis, size) for axis, size in zip(axes, output.shape, strict=True)])


def _prepack(model: ir.Model) -> bool:
    """Whether onnxruntime should pack the weights: for float recurrent operators it should not."""
    found = {node.op_type for node in model.graph}
    return not found & _ONE_ROW_A_STEP or "DynamicQuantizeLSTM" in found


def _companions(
    model: keras.Model,
    tokenizer: tokenizers.Tokenizer,
    signature: Signature,
    labels: Sequence[str],
    multi_label: bool,
    settings: Mapping[str, Any],
) -> dict[str, bytes]:
    """The files beside the graphs."""
    config = model_config(functional_graph(model), signature, labels, multi_label=multi_label)
    documents: dict[str, Any] = {
        "config.json": config,
        "tokenizer_config.json": tokenizer_config(tokenizer, signature, config["model_type"]),
        "special_tokens_map.json": special_tokens(tokenizer),
    }
    if settings.get("pooling") in ("mean", "cls"):
        documents |= sentence_files(settings, signature)
    return {"tokenizer.json": tokenizer_json(tokenizer).encode()} | {name: as_json(d) for name, d in documents.items()}


def _write_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, data in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

"""A pretrained encoder's folder as the model of a task that needs no training: feature-extraction or fill-mask."""

import json
from pathlib import Path
from typing import Any, Literal

from ..evaluation.examples import Asker, read_held_out
from ..models.encoder import Encoder, EncoderConfig, open_encoder
from ..pretrained.heads import read_fine_tuned
from ..pretrained.settings import read_json
from ..tasks.embedding import embedding_model
from .bundle import export_bundle

Pooling = Literal["mean", "cls"]
# What sentence-transformers may chain after the encoder, and the bundle's graph holds.
_MODULES = {"Transformer", "Pooling", "Normalize"}


def export_encoder(
    folder: Path,
    out: str | Path,
    *,
    task: str = "feature-extraction",
    pooling: Pooling | None = None,
    max_length: int | None = None,
    validation: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Exports an encoder as it is.

    Args:
        folder: A folder of Hugging Face or KerasHub, or a RUN whose encoder is wanted alone.
        out: The bundle folder to make.
        task: "feature-extraction".
        pooling: What stands for a text: the mean of its tokens' vectors, or the first one's; None: as the folder's
            1_Pooling/config.json says, else the mean.
        max_length: Tokens kept of a text; None: as sentence_bert_config.json says, else as many as there are positions.
        validation: Where to read pairs of texts with their likeness, to take the metric on.
        **options: Options of `export_bundle`.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: A file of the folder is missing.
        ValueError: The folder is damaged, or it makes vectors in a way that is not known here.
        ExportError: As for `export_bundle`.
    """
    if task != "feature-extraction":
        raise ValueError(
            f"An encoder's folder can be exported for feature-extraction: for other tasks it has no trained head. "
            f"Received: {task!r}. Fine-tune it first (kerasllm finetune), or pretrain it (kerasllm pretrain)."
        )
    encoder = open_encoder(EncoderConfig(encoder=str(folder)))
    examples = None if validation is None else read_held_out(Asker(task=task), validation)
    return export_bundle(
        embedding_model(encoder, pooling or _pooling(folder)),
        out,
        task=task,
        tokenizer=encoder.tokenizer,
        max_length=max_length or _max_length(folder, encoder),
        validation=examples,
        provenance={"source": "encoder", "folder": folder.resolve().name},
        **options,
    )


def export_fine_tuned(
    folder: Path, out: str | Path, *, max_length: int | None = None, validation: str | None = None, **options: Any
) -> dict[str, Any]:
    """Exports a folder of Hugging Face for the task that it was fine-tuned for, its head included.

    Args:
        folder: The folder.
        out: The bundle folder to make.
        max_length: Tokens kept of a text; None: as many as there are positions.
        validation: Where to read examples of the task, to take the metric on.
        **options: Options of `export_bundle`.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: A file of the folder is missing.
        ValueError: The folder is damaged, or its head is none that is known here.
        ExportError: As for `export_bundle`.
    """
    found = read_fine_tuned(folder)
    asker = Asker(task=found.task, labels=found.labels, multi_label=found.multi_label, tokenizer=found.tokenizer)
    examples = None if validation is None else read_held_out(asker, validation)
    return export_bundle(
        found.model,
        out,
        task=found.task,
        tokenizer=found.tokenizer,
        labels=found.labels,
        multi_label=found.multi_label,
        settings={"pair": True} if getattr(examples, "pairs", None) else {},
        max_length=max_length or found.max_length,
        validation=examples,
        provenance={"source": "encoder", "folder": folder.resolve().name},
        **options,
    )


def _pooling(folder: Path) -> Pooling:
    """How the folder's own program, sentence-transformers, makes a text's vector."""
    modules = folder / "modules.json"
    chain = json.loads(modules.read_text(encoding="utf-8")) if modules.is_file() else []
    kinds = {str(module["type"]).rsplit(".", 1)[-1] for module in chain}
    if kinds - _MODULES:
        raise ValueError(
            f"A sentence encoder may hold {', '.join(sorted(_MODULES))}. Received: {', '.join(sorted(kinds))} in "
            f"{modules}. Say --pooling to export the encoder without them."
        )
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return "mean"
    used = [name for name, value in read_json(path).items() if name.startswith("pooling_mode_") and value is True]
    known: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls"}
    if len(used) != 1 or used[0] not in known:
        raise ValueError(
            f"Tokens are pooled by their mean or by the first one (cls). Received: {', '.join(used) or 'nothing'} in "
            f"{path}. Say --pooling to export the encoder with another."
        )
    return known[used[0]]


def _max_length(folder: Path, encoder: Encoder) -> int:
    path = folder / "sentence_bert_config.json"
    limit = read_json(path).get("max_seq_length") if path.is_file() else None
    return min(limit or encoder.max_length, encoder.max_length)

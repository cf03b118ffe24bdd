"""From a bundle folder to the object that serves its task."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tokenizers

from .bundle import Bundle, open_bundle
from .errors import BundleError
from .external_data import check_locations
from .generation.graph import DecoderGraph, cache_names
from .graph import Graph
from .session import open_session

_TOKENIZER = "tokenizer.json"
_PORTABLE = "portable"
_TEMPLATE = "chat_template.jinja"
# The beginning of the names of operators that find one scale for the activations of a whole batch.
_SPANS_BATCH = b"DynamicQuantize"
_PIECE = 2**20
# Only the module of the bundle's task is imported.
_CLASSES = {
    "text-classification": ("classification", "TextClassifier"),
    "token-classification": ("tagging", "TokenClassifier"),
    "question-answering": ("answering", "QuestionAnswerer"),
    "feature-extraction": ("embedding", "TextEmbedder"),
    "fill-mask": ("filling", "MaskFiller"),
    "text-generation": ("generation.generator", "TextGenerator"),
}


def load_bundle(
    path: str | Path,
    *,
    variant: str | None = None,
    threads: int | None = None,
    providers: str | Sequence[str] | None = None,
    spinning: bool = True,
) -> Any:
    """Does what `kerasllm.serving.load` says, with everything imported."""
    bundle = open_bundle(path)
    manifest = bundle.manifest
    if manifest.task not in _CLASSES:
        raise BundleError(
            f"This version of kerasllm serves {', '.join(_CLASSES)}. Received: a bundle for {manifest.task!r}."
        )
    name, file = bundle.variant_file(variant)
    if manifest.task == "text-generation" and name == _PORTABLE:
        raise ValueError(
            "The portable variant of a decoder is for other runtimes: it cannot keep keys and values in place. "
            f"Received: {name!r}. Take {' or '.join(sorted(set(manifest.variants) - {name})) or 'another bundle'}."
        )
    tokenizer = _read_tokenizer(bundle)
    graphs = {each: manifest.variant_files(each) for each in manifest.variants}
    # What only other variants read is not compared: it may be gigabytes.
    bundle.verify(set(manifest.files) - set().union(*graphs.values()) - {_TOKENIZER})
    facts = manifest.variants[name]
    with bundle.verified(*graphs[name]) as model:
        check_locations(model, [Path(data).name for data in graphs[name][1:]])
        session = open_session(
            model,
            threads=threads,
            providers=providers,
            exact_int8=facts.get("saturates", name == "int8"),
            prepack=facts.get("prepack", True),
            spinning=spinning,
        )
        independent = not _contains(model, _SPANS_BATCH)
    declared = {node.name for node in session.get_outputs()}
    expected = set(manifest.inputs.values()) | cache_names(manifest.cache.layers)
    missing = expected ^ {node.name for node in session.get_inputs()}
    missing |= set(manifest.outputs) - declared
    if missing:
        raise BundleError(
            f"The bundle {bundle.path} is damaged: {file} and the manifest differ in inputs or outputs, {missing}."
        )
    if manifest.task == "text-generation":
        template = bundle.read(_TEMPLATE).decode() if manifest.setting("chat_template", False) else None
        return served_class(manifest.task)(DecoderGraph(session, manifest), tokenizer, manifest, template)
    graph = Graph(session, manifest, batch_tokens=facts.get("batch_tokens"), independent=independent)
    return served_class(manifest.task)(graph, tokenizer, manifest)


def served_class(task: str) -> Any:
    """The class that serves a task: it takes a `Graph` (a `DecoderGraph`), a tokenizer and a manifest."""
    module, name = _CLASSES[task]
    return getattr(importlib.import_module(f".{module}", __package__), name)


def _contains(path: Path, sought: bytes) -> bool:
    """Whether the bytes are somewhere in a file, of which one piece at a time is in memory."""
    seen = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            seen = seen[-len(sought) :] + piece
            if sought in seen:
                return True
    return False


def _read_tokenizer(bundle: Bundle) -> tokenizers.Tokenizer:
    data = bundle.read(_TOKENIZER)
    try:
        return tokenizers.Tokenizer.from_buffer(data)
    except Exception as error:  # tokenizers raises bare Exception
        raise BundleError(f"The tokenizer of the bundle {bundle.path} cannot be read: {error}.") from error

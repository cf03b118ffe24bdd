"""From a bundle folder to the object that serves its task."""

from collections.abc import Sequence
from pathlib import Path

import tokenizers

from .bundle import Bundle, open_bundle
from .classification import TextClassifier
from .errors import BundleError
from .graph import Graph
from .session import open_session

_TOKENIZER = "tokenizer.json"


def load_bundle(
    path: str | Path,
    *,
    variant: str | None = None,
    threads: int | None = None,
    providers: str | Sequence[str] | None = None,
) -> TextClassifier:
    """Does what `kerasllm.serving.load` says, with everything imported."""
    bundle = open_bundle(path)
    manifest = bundle.manifest
    if manifest.task != "text-classification":
        raise BundleError(
            f"This version of kerasllm serves text-classification. Received: a bundle for {manifest.task!r}."
        )
    name, file = bundle.variant_file(variant)
    tokenizer, model = _read_tokenizer(bundle), bundle.read(file)
    bundle.verify(set(manifest.files) - {file, _TOKENIZER})
    facts = manifest.variants[name]
    session = open_session(
        model,
        folder=(bundle.path / file).parent,
        threads=threads,
        providers=providers,
        exact_int8=name == "int8" and facts.get("saturates", True),
        prepack=facts.get("prepack", True),
    )
    missing = set(manifest.inputs.values()) ^ {node.name for node in session.get_inputs()}
    if missing:
        raise BundleError(
            f"The bundle {bundle.path} is damaged: {file} and the manifest differ in the inputs {missing}."
        )
    graph = Graph(session, manifest, batch_tokens=facts.get("batch_tokens"))
    return TextClassifier(graph, tokenizer, manifest)


def _read_tokenizer(bundle: Bundle) -> tokenizers.Tokenizer:
    data = bundle.read(_TOKENIZER)
    try:
        return tokenizers.Tokenizer.from_buffer(data)
    except Exception as error:  # tokenizers raises bare Exception
        raise BundleError(f"The tokenizer of the bundle {bundle.path} cannot be read: {error}.") from error

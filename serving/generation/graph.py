"""A decoder's graph and what has to be known to feed it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime

from ..errors import BundleError
from ..manifest import Manifest

_DTYPES: dict[str, np.dtype[Any]] = {"tensor(float)": np.dtype(np.float32), "tensor(float16)": np.dtype(np.float16)}
_KEEP = "num_logits_to_keep"


class DecoderGraph:
    """The session of a decoder. It holds no state, so threads may share it; states are `DecodeSession`s."""

    def __init__(self, session: onnxruntime.InferenceSession, manifest: Manifest) -> None:
        """Binds a session to its manifest.

        Args:
            session: The graph, for prompts and for single tokens, past length 0 allowed.
            manifest: The manifest of the bundle.

        Raises:
            BundleError: The graph's keys, values or logits are not what the manifest says.
        """
        self.task = manifest.task
        self.session = session
        self.preprocessing = manifest.preprocessing
        self.context = manifest.preprocessing.max_length
        self.inputs = manifest.inputs
        self.cache = manifest.cache
        self.output = (manifest.outputs or ("logits",))[0]
        inputs = {node.name: node for node in session.get_inputs()}
        outputs = {node.name: node for node in session.get_outputs()}
        self.pasts = [(f"past_key_values.{name}", f"present.{name}") for name in _parts(manifest.cache.layers)]
        names = {past for past, _ in self.pasts} - inputs.keys() | {here for _, here in self.pasts} - outputs.keys()
        if names or self.output not in outputs:
            raise BundleError(f"The graph of the bundle must have {sorted(names) or self.output}. It has not.")
        if not self.pasts:
            raise BundleError("The manifest of a text-generation bundle must give the sizes of its cache. It does not.")
        shape = inputs[self.pasts[0][0]].shape
        declared = [manifest.cache.kv_heads, manifest.cache.head_size]
        if [size for size in (shape[1], shape[3]) if isinstance(size, int)] not in (declared, []):
            raise BundleError(
                f"The manifest and the graph differ in keys and values: {declared} and {shape}. Export the model again."
            )
        self.dtype = _DTYPES[inputs[self.pasts[0][0]].type]
        self.logits_dtype = _DTYPES[outputs[self.output].type]
        self.vocab_size = outputs[self.output].shape[-1]
        if not isinstance(self.vocab_size, int):
            raise BundleError(f"The last axis of {self.output} must be the vocabulary. Received: {self.vocab_size!r}.")
        self.keeps_last = _KEEP in (node.name for node in session.get_overridable_initializers())

    def logits(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Runs the graph once on a whole text, with nothing kept.

        Args:
            ids: Token ids [tokens], one at least, no more than the context.

        Returns:
            float32 [tokens, vocabulary]: of every token, what comes after it.

        Raises:
            ValueError: There are no tokens, too many, or one is outside the vocabulary.
        """
        from .session import DecodeSession

        tokens = check_ids(ids, self)
        return DecodeSession(self).extend(0, tokens, keep=len(tokens), piece=len(tokens))


def check_ids(ids: Sequence[int] | np.ndarray, graph: DecoderGraph) -> np.ndarray:
    """Token ids as int64 [tokens].

    Raises:
        TypeError: They are not whole numbers.
        ValueError: There are none, more than the context, or one is outside the vocabulary.
    """
    tokens = np.asarray(ids)
    if not tokens.size:
        raise ValueError("A prompt must have at least one token. Received: an empty one. Give it a first word or id.")
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise TypeError(f"Token ids must be a list of whole numbers. Received: {tokens.dtype} of {tokens.ndim} axes.")
    outside = tokens[(tokens < 0) | (tokens >= graph.vocab_size)]
    if outside.size:
        raise ValueError(
            f"Token ids must be in 0..{graph.vocab_size - 1}, the model's vocabulary. Received: {outside[0]}. "
            "They may come from the tokenizer of another model."
        )
    if len(tokens) > graph.context:
        raise ValueError(
            f"A text must have at most {graph.context} tokens, the model's context. Received: {len(tokens)}. "
            "Shorten it."
        )
    return tokens.astype(np.int64)


def cache_names(layers: int) -> set[str]:
    """The graph's inputs that hold keys and values of earlier tokens."""
    return {f"past_key_values.{name}" for name in _parts(layers)}


def _parts(layers: int) -> list[str]:
    return [f"{layer}.{part}" for layer in range(layers) for part in ("key", "value")]

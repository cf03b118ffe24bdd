"""Serve a bundle: ONNX Runtime, a tokenizer and numpy, and nothing of Keras or TensorFlow.

from kerasllm.serving import load

classifier = load("bundle")
classifier("a great film")  # [{"label": "positive", "score": 0.98}]

writer = load("decoder-bundle")
writer.generate("Once upon a time", max_new_tokens=64).text
for piece in writer.stream("Once upon a time"):
    print(piece.text, end="")
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import BundleError

__all__ = ["BundleError", "load"]


def load(
    path: str | Path,
    variant: str | None = None,
    threads: int | None = None,
    providers: str | Sequence[str] | None = None,
    spinning: bool = True,
) -> Any:
    """Loads a bundle, after every file of it was compared with its manifest.

    Args:
        path: The bundle folder.
        variant: "fp32", "int8" or another that the bundle has; None: the bundle's default.
        threads: Threads of one operator; None: as many as this process has cores.
        providers: "cpu", "cuda" or ONNX Runtime's own names; None: CUDA where there is a device, else the CPU.
        spinning: Whether idle threads look out for work a moment before they sleep: a call alone is faster; where many
            share the cores, as in a server, all are slower.

    Returns:
        What fits the bundle's task: a TextClassifier, TokenClassifier, QuestionAnswerer, TextEmbedder, MaskFiller or
        TextGenerator.

    Raises:
        BundleError: The bundle is missing, damaged, of another program or newer than this version.
        ValueError: The bundle has no such variant, or another argument makes no sense.
        ImportError: ONNX Runtime is not installed; the message says how to get it.
    """
    from ..extras import require

    require("serving", "onnxruntime")
    from .loading import load_bundle

    return load_bundle(path, variant=variant, threads=threads, providers=providers, spinning=spinning)

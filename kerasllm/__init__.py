"""kerasllm: from Keras `fit` to a small, fast, self-contained ONNX bundle.

Importing this package loads nothing heavy: no keras, no tensorflow, no onnxruntime.
The parts are imported by name: `kerasllm.data`, `kerasllm.training`, `kerasllm.export`, `kerasllm.serving`.
"""

__version__ = "0.1.0"

"""Serving stands on its own: no Keras, no TensorFlow, no ONNX package, nothing of the training half."""

import subprocess
import sys

from .handmade import write_embedder, write_filler, write_reader, write_tagger

FORBIDDEN = (
    "keras",
    "keras_hub",
    "tensorflow",
    "torch",
    "transformers",
    "onnx",
    "onnx_ir",
    "sklearn",
    "matplotlib",
    "rich",
)
PROGRAM = """
import sys
from kerasllm.serving import load
from kerasllm.serving.measurement import as_input
for folder in sys.argv[1].split(":"):
    served = load(folder)
    served(as_input(served, "ada met"))
roots = {name.partition(".")[0] for name in sys.modules}
ours = {name for name in sys.modules if name.startswith(("kerasllm.export", "kerasllm.training", "kerasllm.data"))}
print(sorted(roots & set(sys.argv[2:]) | ours))
"""


def test_answers_of_every_task_import_no_framework(bundle, tmp_path):
    makers = (write_tagger, write_reader, write_filler, write_embedder)
    folders = [bundle, *(make(tmp_path / make.__name__) for make in makers)]
    command = [sys.executable, "-c", PROGRAM, ":".join(map(str, folders)), *FORBIDDEN]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("[]\n", "")

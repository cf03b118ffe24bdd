"""Serving stands on its own: no Keras, no TensorFlow, no ONNX package, nothing of the training half."""

import subprocess
import sys

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
assert load(sys.argv[1])("good film")[0]["label"] == "positive"
roots = {name.partition(".")[0] for name in sys.modules}
ours = {name for name in sys.modules if name.startswith(("kerasllm.export", "kerasllm.training", "kerasllm.data"))}
print(sorted(roots & set(sys.argv[2:]) | ours))
"""


def test_one_prediction_imports_no_framework(bundle):
    command = [sys.executable, "-c", PROGRAM, str(bundle), *FORBIDDEN]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("[]\n", "")

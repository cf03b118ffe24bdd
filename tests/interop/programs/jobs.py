"""What the programs in Python have in common: jobs from a file, answers to another."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FILES = {
    "fp32": "onnx/model.onnx",
    "int8": "onnx/model_quantized.onnx",
    "int4": "onnx/model_q4.onnx",
    "portable": "onnx/model_std.onnx",
}


def run(answer: Callable[[Path, dict[str, Any]], list[Any]]) -> None:
    """Does all jobs; one that fails says why, and the others go on.

    Args:
        answer: Takes a bundle and a job, and gives an answer to each input.
    """
    asked = json.loads(Path(sys.argv[1]).read_text())
    found = []
    for job in asked["jobs"]:
        try:
            found.append({"answers": answer(Path(asked["root"]) / job["bundle"], job)})
        except Exception as error:
            found.append({"error": f"{type(error).__name__}: {error}"[:500]})
    Path(sys.argv[2]).write_text(json.dumps(found))

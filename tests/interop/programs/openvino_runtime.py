"""OpenVINO, told to compute in float32 as everybody does."""

from pathlib import Path

import openvino
import raw


def opened(file: Path) -> raw.Run:
    compiled = openvino.Core().compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    inputs = {node.any_name for node in compiled.inputs}
    outputs = [node.any_name for node in compiled.outputs]

    def run(feeds):
        result = compiled({name: value for name, value in feeds.items() if name in inputs})
        return {name: result[name] for name in outputs}

    return run


raw.run(opened)

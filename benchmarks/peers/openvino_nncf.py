"""OpenVINO: at the precision that it chooses itself, and int8 by nncf's calibrated quantization.

Both are made of the ONNX file that Optimum exports.
"""

from pathlib import Path

import numpy as np
import openvino
from encoding import Bind, Run, pad, serve

CALIBRATION = 32  # rows of 128 random tokens


def prepare(checkpoint: Path, out: Path) -> None:
    import nncf

    model = openvino.convert_model(out.parent / "optimum" / "fp32" / "model.onnx")
    openvino.save_model(model, out / "fp32.xml", compress_to_fp16=False)
    draw = np.random.default_rng(1)
    names = [each.get_any_name() for each in model.inputs]
    samples = [_feed(names, *pad([draw.integers(1000, 30000, 128)])) for _ in range(CALIBRATION)]
    quantized = nncf.quantize(
        model, nncf.Dataset(samples), model_type=nncf.ModelType.TRANSFORMER, subset_size=CALIBRATION
    )
    openvino.save_model(quantized, out / "int8.xml", compress_to_fp16=False)


def load(checkpoint: Path, prepared: Path, threads: int):
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}

    def opened(name: str) -> Bind:
        return bind(openvino.Core().compile_model(prepared / f"{name}.xml", "CPU", settings))

    return {"its default": lambda: opened("fp32"), "int8, nncf": lambda: opened("int8")}


def bind(model: openvino.CompiledModel) -> Bind:
    request, names = model.create_infer_request(), [each.get_any_name() for each in model.inputs]

    def of(rows: list[np.ndarray]) -> Run:
        feed = _feed(names, *pad(rows))
        return lambda: request.infer(feed)[0]

    return of


def _feed(names: list[str], ids: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
    arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return {name: arrays[name] for name in names}


if __name__ == "__main__":
    serve(prepare, load)

"""Optimum: transformers exported to ONNX, optimised at level O3, or quantized for AVX512-VNNI and for AVX2."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from encoding import Bind, Run, pad, serve
from optimum.onnxruntime import ORTModelForFeatureExtraction, ORTOptimizer, ORTQuantizer
from optimum.onnxruntime.configuration import AutoOptimizationConfig, AutoQuantizationConfig

FILES = {
    "fp32, O3": ("O3", "model_optimized.onnx"),
    "int8, avx512_vnni": ("avx512_vnni", "model_quantized.onnx"),
    "int8, avx2": ("avx2", "model_quantized.onnx"),
}


def prepare(checkpoint: Path, out: Path) -> None:
    plain = out / "fp32"
    ORTModelForFeatureExtraction.from_pretrained(checkpoint, export=True).save_pretrained(plain)
    ORTOptimizer.from_pretrained(plain).optimize(AutoOptimizationConfig.O3(), save_dir=out / "O3")
    for name in ("avx512_vnni", "avx2"):
        config = getattr(AutoQuantizationConfig, name)(is_static=False, per_channel=True)
        ORTQuantizer.from_pretrained(plain).quantize(config, save_dir=out / name)


def load(checkpoint: Path, prepared: Path, threads: int):
    torch.set_num_threads(threads)
    return {
        name: lambda folder=folder, file=file: bind(_model(prepared / folder, file, threads))
        for name, (folder, file) in FILES.items()
    }


def _model(folder: Path, file: str, threads: int) -> ORTModelForFeatureExtraction:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return ORTModelForFeatureExtraction.from_pretrained(folder, file_name=file, session_options=options)


def bind(model: ORTModelForFeatureExtraction) -> Bind:
    def of(rows: list[np.ndarray]) -> Run:
        ids, mask = map(torch.from_numpy, pad(rows))
        feed = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in model.input_names:
            feed["token_type_ids"] = torch.zeros_like(ids)
        return lambda: model(**feed).last_hidden_state.numpy()

    return of


if __name__ == "__main__":
    serve(prepare, load)

"""Optimum: transformers exported to ONNX with a cache, generating through `generate`, as it is and in int8."""

from pathlib import Path

import onnxruntime
import torch
from generating import Generator, serve
from optimum.onnxruntime import ORTModelForCausalLM, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig
from pytorch_decoder import generate_with

FILES = {"fp32": "fp32/model.onnx", "int8": "int8/model_quantized.onnx"}


def prepare(checkpoint: Path, out: Path) -> None:
    ORTModelForCausalLM.from_pretrained(checkpoint, export=True, use_cache=True).save_pretrained(out / "fp32")
    # Per tensor: with a scale for each column it is slower, since onnxruntime then fuses less.
    config = AutoQuantizationConfig.avx512_vnni(is_static=False, per_channel=False)
    ORTQuantizer.from_pretrained(out / "fp32", file_name="model.onnx").quantize(
        save_dir=out / "int8", quantization_config=config
    )


def load(checkpoint: Path, prepared: Path, threads: int):
    torch.set_num_threads(threads)

    def opened(file: Path) -> Generator:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        model = ORTModelForCausalLM.from_pretrained(
            file.parent, file_name=file.name, session_options=options, use_cache=True
        )
        return Generator(generate_with(model), file)

    return {name: lambda file=file: opened(prepared / file) for name, file in FILES.items()}


if __name__ == "__main__":
    serve(prepare, load)

"""OpenVINO GenAI, of what Optimum exports for it: float32, told to be so, and int8 and int4 weights."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import openvino_genai
from generating import Generator, serve

FORMATS = {"fp32": [], "int8": [], "int4": ["--group-size", "128", "--ratio", "1.0"]}
# Its own default computes in bfloat16 where the processor has it.
PROPERTIES = {"fp32": {"INFERENCE_PRECISION_HINT": "f32"}, "int8": {}, "int4": {}}


def prepare(checkpoint: Path, out: Path) -> None:
    export = [str(Path(sys.executable).parent / "optimum-cli"), "export", "openvino", "-m", str(checkpoint)]
    for name, options in FORMATS.items():
        command = [*export, "--task", "text-generation-with-past", "--weight-format", name, *options, str(out / name)]
        subprocess.run(command, check=True, stdout=sys.stderr)


def load(checkpoint: Path, prepared: Path, threads: int):
    return {
        name: lambda name=name: opened(prepared / name, {"INFERENCE_NUM_THREADS": threads, **PROPERTIES[name]})
        for name in PROPERTIES
    }


def opened(folder: Path, properties: dict[str, object]) -> Generator:
    pipeline = openvino_genai.LLMPipeline(str(folder), "CPU", properties)
    settings = openvino_genai.GenerationConfig()
    settings.do_sample, settings.ignore_eos = False, True

    def generate(prompt: list[int], count: int) -> list[int]:
        ids = np.array([prompt])
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(np.ones_like(ids)))
        settings.max_new_tokens = count
        return list(pipeline.generate(inputs, settings).tokens[0])

    return Generator(generate, folder / "openvino_model.bin")


if __name__ == "__main__":
    serve(prepare, load)

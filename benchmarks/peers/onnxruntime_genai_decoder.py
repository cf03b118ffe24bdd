"""onnxruntime-genai, of its own builder's models: float32, and int4 in blocks of 32 multiplied in int8."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import onnxruntime_genai
from generating import Generator, serve

BUILDER = "onnxruntime_genai.models.builder"
PRECISIONS = {"fp32": [], "int4": ["--extra_options", "int4_block_size=32", "int4_accuracy_level=4"]}


def prepare(checkpoint: Path, out: Path) -> None:
    for precision, options in PRECISIONS.items():
        folders = ["-i", str(checkpoint), "-o", str(out / precision), "-c", str(out / "cache")]
        sys.argv = [BUILDER, *folders, "-p", precision, "-e", "cpu", *options]
        runpy.run_module(BUILDER, run_name="__main__")  # its functions are no interface; its command line is


def load(checkpoint: Path, prepared: Path, threads: int):
    return {name: lambda name=name: opened(prepared / name, threads) for name in PRECISIONS}


def opened(folder: Path, threads: int) -> Generator:
    config = onnxruntime_genai.Config(str(folder))
    session = {"session_options": {"intra_op_num_threads": threads}}
    config.overlay(json.dumps({"model": {"decoder": session}}))
    model = onnxruntime_genai.Model(config)

    def generate(prompt: list[int], count: int) -> list[int]:
        parameters = onnxruntime_genai.GeneratorParams(model)
        parameters.set_search_options(max_length=len(prompt) + count, do_sample=False)
        generator = onnxruntime_genai.Generator(model, parameters)
        generator.append_tokens(np.array([prompt], np.int32))
        while not generator.is_done():
            generator.generate_next_token()
        return generator.get_sequence(0)[len(prompt) :].tolist()

    return Generator(generate, folder)


if __name__ == "__main__":
    serve(prepare, load)

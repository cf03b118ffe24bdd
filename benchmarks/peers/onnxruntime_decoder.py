"""Optimum's files in onnxruntime without Optimum: a bare loop, the cache bound from step to step."""

from pathlib import Path

import numpy as np
import onnxruntime
from generating import Generator, serve

FILES = {"fp32": "fp32/model.onnx", "int8": "int8/model_quantized.onnx"}


def prepare(checkpoint: Path, out: Path) -> None:
    """Nothing to convert: it reads what optimum exports."""


def load(checkpoint: Path, prepared: Path, threads: int):
    def opened(file: Path) -> Generator:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return Generator(generate_with(onnxruntime.InferenceSession(file, options)), file)

    folder = prepared.parent / "optimum"
    return {name: lambda file=file: opened(folder / file) for name, file in FILES.items()}


def generate_with(session: onnxruntime.InferenceSession):
    inputs = {each.name: each.shape for each in session.get_inputs()}
    caches = [name for name in inputs if name.startswith("past_key_values")]
    outputs = [each.name for each in session.get_outputs()]
    binding = session.io_binding()

    def step(ids: np.ndarray, length: int, past: dict[str, onnxruntime.OrtValue]):
        """The next token, and the cache with it; `ids`, int64 [1, new], end at `length`."""
        binding.clear_binding_inputs()
        binding.clear_binding_outputs()
        feed = {
            "input_ids": ids,
            "attention_mask": np.ones((1, length), np.int64),
            "position_ids": np.arange(length - ids.shape[1], length)[None],
        }
        for name in feed.keys() & inputs.keys():
            binding.bind_cpu_input(name, feed[name])
        for name, value in past.items():
            binding.bind_ortvalue_input(name, value)
        for name in outputs:
            binding.bind_output(name)
        session.run_with_iobinding(binding)
        values = dict(zip(outputs, binding.get_outputs(), strict=True))
        token = int(values["logits"].numpy()[0, -1].argmax())
        return token, {name: values[name.replace("past_key_values", "present")] for name in caches}

    def generate(prompt: list[int], count: int) -> list[int]:
        empty = {name: np.zeros((1, inputs[name][1], 0, inputs[name][3]), np.float32) for name in caches}
        past = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in empty.items()}
        token, past = step(np.array([prompt]), len(prompt), past)
        tokens = [token]
        while len(tokens) < count:
            token, past = step(np.array([[token]]), len(prompt) + len(tokens), past)
            tokens.append(token)
        return tokens

    return generate


if __name__ == "__main__":
    serve(prepare, load)

"""Ours: the checkpoint as a Keras model, exported to a bundle, whose graph is run as serving runs it."""

from pathlib import Path

import numpy as np
from protocol import Bind, Run, pad, serve


def prepare(checkpoint: Path, out: Path) -> None:
    import keras_hub
    import onnx_ir as ir

    from kerasllm.export.compiler import lower_model
    from kerasllm.export.passes import optimise
    from kerasllm.export.quantization import quantize

    model = keras_hub.models.Backbone.from_preset(str(checkpoint), dtype="float32")
    fp32 = optimise(lower_model(model))
    ir.save(fp32, out / "fp32.onnx")
    ir.save(quantize(fp32)[0], out / "int8.onnx")


def load(checkpoint: Path, prepared: Path, threads: int):
    from kerasllm.serving.session import open_session

    def opened(name: str) -> Bind:
        session = open_session((prepared / f"{name}.onnx").read_bytes(), folder=prepared, threads=threads)
        return bind(session)

    return {name: lambda name=name: opened(name) for name in ("fp32", "int8")}


def bind(session) -> Bind:
    names = [each.name for each in session.get_inputs()]
    output = max(session.get_outputs(), key=lambda each: len(each.shape)).name

    def of(rows: list[np.ndarray]) -> Run:
        ids, mask = pad(rows)
        arrays = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        arrays |= {"token_ids": ids, "padding_mask": mask, "segment_ids": np.zeros_like(ids)}
        feed = {name: arrays[name] for name in names}
        return lambda: session.run([output], feed)[0]

    return of


if __name__ == "__main__":
    serve(prepare, load)

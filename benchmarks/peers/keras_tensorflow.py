"""Keras itself, and its own export to ONNX in onnxruntime: as it is where that loads, else repaired."""

from pathlib import Path
from typing import Any

import keras_hub
import numpy as np
from encoding import Bind, Run, pad, serve


def prepare(checkpoint: Path, out: Path) -> None:
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = _model(checkpoint)
    model(_feed([np.arange(1, 9)], list(model.input)))  # Keras exports only what was called
    model.export(out / "stock.onnx", format="onnx", verbose=False)
    try:
        onnxruntime.InferenceSession(out / "stock.onnx")
    except Exception as error:  # onnxruntime's exceptions share no base class but this one
        (out / "broken.txt").write_text(" ".join(str(error).split()))
        onnx.save(_without_erfc(onnx.load(out / "stock.onnx")), out / "stock.onnx")
    quantize_dynamic(out / "stock.onnx", out / "int8.onnx", per_channel=True, weight_type=QuantType.QInt8)


def load(checkpoint: Path, prepared: Path, threads: int):
    import onnxruntime

    def session(file: str) -> Bind:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return bind_session(onnxruntime.InferenceSession(prepared / file, options))

    repaired = ", repaired" if (prepared / "broken.txt").exists() else ""
    return {
        "predict": lambda: bind_predict(_model(checkpoint)),
        "tf.function": lambda: bind_function(_model(checkpoint)),
        f"ONNX export{repaired}": lambda: session("stock.onnx"),
        f"ONNX export{repaired}, int8": lambda: session("int8.onnx"),
    }


def _model(checkpoint: Path) -> Any:
    return keras_hub.models.Backbone.from_preset(str(checkpoint), dtype="float32")


def _feed(rows: list[np.ndarray], names: list[str]) -> dict[str, np.ndarray]:
    ids, mask = pad(rows)
    arrays = {"token_ids": ids, "padding_mask": mask, "segment_ids": np.zeros_like(ids)}
    return {name: arrays[name].astype(np.int32) for name in names}


def _hidden(outputs: Any) -> Any:
    return outputs["sequence_output"] if isinstance(outputs, dict) else outputs


def bind_predict(model: Any) -> Bind:
    def of(rows: list[np.ndarray]) -> Run:
        feed = _feed(rows, list(model.input))
        return lambda: _hidden(model.predict(feed, verbose=0, batch_size=len(rows)))

    return of


def bind_function(model: Any) -> Bind:
    import tensorflow as tf

    function = tf.function(lambda feed: _hidden(model(feed)), reduce_retracing=True)

    def of(rows: list[np.ndarray]) -> Run:
        feed = {name: tf.constant(array) for name, array in _feed(rows, list(model.input)).items()}
        return lambda: function(feed).numpy()

    return of


def bind_session(session: Any) -> Bind:
    names = [each.name for each in session.get_inputs()]
    output = max(session.get_outputs(), key=lambda each: len(each.shape)).name  # not BERT's pooled one

    def of(rows: list[np.ndarray]) -> Run:
        feed = _feed(rows, names)
        return lambda: session.run([output], feed)[0]

    return of


def _without_erfc(model: Any) -> Any:
    """Erfc, which ONNX does not have, is 1 - Erf."""
    import onnx

    graph = model.graph
    one = onnx.numpy_helper.from_array(np.float32(1), "repair/one")
    nodes = []
    for node in graph.node:
        if node.op_type != "Erfc":
            nodes.append(node)
            continue
        inner = f"{node.output[0]}/erf"
        nodes.append(onnx.helper.make_node("Erf", list(node.input), [inner]))
        nodes.append(onnx.helper.make_node("Sub", [one.name, inner], list(node.output)))
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.append(one)
    return model


if __name__ == "__main__":
    serve(prepare, load)

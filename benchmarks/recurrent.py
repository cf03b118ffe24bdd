"""How long does a recurrent classifier take for one text, on one thread: our graphs beside the other ways there are?

    python benchmarks/recurrent.py [--encoder lstm] [--tokens 200] [--rounds 200] [--json]

Embedding 10,000 x 32, one layer of 128 units, two classes, with a mask; weights at random. All roads run in turn in one
process, each called twice a round and timed the second time, so what the machine does besides hits all alike. Prints
the medians and the paired ratios to Keras's own ONNX export, and writes them to benchmarks/results/recurrent.md.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}

import keras
import numpy as np
import onnx_ir as ir
import onnxruntime
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tokenizers import Tokenizer, models, pre_tokenizers

from kerasllm.console import print_json, print_table
from kerasllm.export import export_bundle
from kerasllm.export.compiler import lower_model
from kerasllm.export.passes import optimise
from kerasllm.export.quantization import quantize
from kerasllm.models.classifier import ClassifierConfig, build_classifier
from kerasllm.serving import load

VOCABULARY = 10_000
RESULTS = Path(__file__).parent / "results" / "recurrent.md"
STOCK = "Keras export to ONNX"
UNPACKED = {"session.disable_prepacking": "1"}  # as a recurrent fp32 bundle is served

Road = Callable[[], Any]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="lstm", choices=["rnn", "lstm", "gru", "bilstm"])
    parser.add_argument("--tokens", default=200, type=int)
    parser.add_argument("--rounds", default=200, type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)
    model = build_classifier(ClassifierConfig(encoder=options.encoder), vocab_size=VOCABULARY, classes=2)
    draw = np.random.default_rng(0)
    embedding = model.get_layer("embedding")
    embedding.set_weights([draw.normal(0, 1, embedding.embeddings.shape)])  # as large as trained ones
    ids = draw.integers(2, VOCABULARY, (1, options.tokens))
    with tempfile.TemporaryDirectory() as folder:
        roads = onnx_roads(model, ids, Path(folder)) | keras_roads(model, ids)
        measured = measure(roads, options.rounds)
    expected = roads["Keras, predict"]()
    for name, road in roads.items():
        if isinstance(answer := road(), np.ndarray):  # a bundle gives labels
            measured[name]["difference"] = float(np.abs(answer - expected).max())
    report = {"encoder": options.encoder, "tokens": options.tokens, "machine": machine(), "roads": measured}
    if options.json:
        print_json(report)
    else:
        columns, rows = table(measured)
        print_table(f"{options.encoder}, one text of {options.tokens} tokens, one thread", columns, rows)
    write(report)


def onnx_roads(model: keras.Model, ids: np.ndarray, folder: Path) -> dict[str, Road]:
    """What runs in onnxruntime; the last one from a text on, the others from token ids."""
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    model({name: array.astype(np.int32) for name, array in feed.items()})
    model.export(folder / "stock.onnx", format="onnx", verbose=False)
    fp32 = optimise(lower_model(model))
    unmasked = keras.Sequential([keras.Input((None,), dtype="int32"), *map(model.get_layer, _layers(model))])
    sessions = {
        STOCK: session((folder / "stock.onnx").read_bytes()),
        "ours, fp32": session(fp32, UNPACKED),
        "ours, fp32, weights prepacked": session(fp32),
        "ours, fp32, the model without its mask": session(optimise(lower_model(unmasked)), UNPACKED),
        "ours, int8": session(quantize(fp32)[0]),
    }
    roads: dict[str, Road] = {name: runner(each, feed) for name, each in sessions.items()}
    words = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1} | {f"w{i}": i for i in range(2, VOCABULARY)}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    export_bundle(model, folder / "bundle", tokenizer=words, labels=["no", "yes"], activation="softmax")
    text = " ".join(f"w{number}" for number in ids[0])
    for variant in ("fp32", "int8"):
        classifier = load(folder / "bundle", variant=variant, threads=1)
        roads[f"our bundle, {variant}, from the text on"] = lambda classifier=classifier: classifier(text)
    return roads


def _layers(model: keras.Model) -> list[str]:
    wanted = (keras.layers.Embedding, keras.layers.RNN, keras.layers.Bidirectional, keras.layers.Dense)
    return [layer.name for layer in model.layers if isinstance(layer, wanted)]


def session(model: ir.Model | bytes, entries: dict[str, str] | None = None) -> onnxruntime.InferenceSession:
    """A session on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in (entries or {}).items():
        options.add_session_config_entry(key, value)
    data = model if isinstance(model, bytes) else ir.to_proto(model).SerializeToString()
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def runner(each: onnxruntime.InferenceSession, feed: dict[str, np.ndarray]) -> Road:
    """Runs a session on the inputs that it has, by position, in the types that it wants."""
    types = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    arrays = {meta.name: array.astype(types[meta.type]) for meta, array in zip(each.get_inputs(), feed.values())}  # noqa: B905
    return lambda: each.run(None, arrays)[0]


def keras_roads(model: keras.Model, ids: np.ndarray) -> dict[str, Road]:
    """What runs in TensorFlow."""
    feed = {"input_ids": ids.astype(np.int32), "attention_mask": np.ones(ids.shape, np.int32)}
    tensors = {name: tf.constant(array) for name, array in feed.items()}
    graph, compiled = tf.function(model), tf.function(model, jit_compile=True)
    return {
        "Keras, tf.function": lambda: graph(tensors).numpy(),
        "Keras, XLA": lambda: compiled(tensors).numpy(),
        "Keras, predict": lambda: model.predict(feed, verbose=0),
        "TensorFlow Lite, fixed length": tflite(model, feed),
    }


def tflite(model: keras.Model, feed: dict[str, np.ndarray]) -> Road:
    """The model at one length, converted and interpreted."""
    signature = {name: tf.TensorSpec(array.shape, tf.int32, name=name) for name, array in feed.items()}
    function = tf.function(lambda **inputs: model(inputs)).get_concrete_function(**signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([convert_variables_to_constants_v2(function)], model)
    interpreter = tf.lite.Interpreter(model_content=converter.convert(), num_threads=1)
    interpreter.allocate_tensors()
    slots = [
        (slot["index"], feed["attention_mask" if "mask" in slot["name"] else "input_ids"])
        for slot in interpreter.get_input_details()
    ]
    output = interpreter.get_output_details()[0]["index"]

    def run() -> np.ndarray:
        for slot, array in slots:
            interpreter.set_tensor(slot, array)
        interpreter.invoke()
        return interpreter.get_tensor(output)

    return run


def measure(roads: dict[str, Road], rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds of each road, and the median of its ratio to Keras's ONNX export in the same round."""
    times: dict[str, list[float]] = {name: [] for name in roads}
    for _ in range(rounds):
        for name, road in roads.items():
            road()
            began = time.perf_counter()
            road()
            times[name].append(1e3 * (time.perf_counter() - began))
    return {
        name: {
            "p50_ms": statistics.median(each),
            "ratio": statistics.median(one / stock for one, stock in zip(each, times[STOCK], strict=True)),
        }
        for name, each in times.items()
    }


def table(measured: dict[str, dict[str, float]]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows, for the screen and the file."""
    rows = [
        [
            name,
            f"{road['p50_ms']:.3f}",
            f"{road['ratio']:.3f}",
            f"{road['difference']:.0e}" if "difference" in road else "",
        ]
        for name, road in measured.items()
    ]
    return ["road", "p50 ms", f"ratio to {STOCK}", "largest difference to Keras"], rows


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return {
        "vectors": next((name for name in ("avx512f", "avx2", "neon") if name in flags), platform.machine()),
        "vnni": "vnni" in flags,
        "load": round(os.getloadavg()[0], 1),
        "versions": {package.__name__: package.__version__ for package in (keras, tf, onnxruntime)},
    }


def write(report: dict[str, Any]) -> None:
    """One section a model in the results file; that of the same model is replaced."""
    columns, rows = table(report["roads"])
    title = f"## {report['encoder']}, one text of {report['tokens']} tokens, one thread"
    lines = [title, "", f"{json.dumps(report['machine'])}", "", f"| {' | '.join(columns)} |", "|---|--:|--:|--:|"]
    section = "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
    known = RESULTS.read_text(encoding="utf-8").strip().split("\n\n## ")[1:] if RESULTS.exists() else []
    others = [f"## {each}" for each in known if not f"## {each}".startswith(title)]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n\n".join(["Made by benchmarks/recurrent.py.", *others, section]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

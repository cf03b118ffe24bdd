"""What serving costs on a small machine, beside the same model in TensorFlow: start, latency, memory, installed bytes.

    python benchmarks/footprint.py [BUNDLE]

Without a bundle, one is exported from an untrained LSTM classifier of 10,000 words, 32 dimensions and 128 units, and
the same model is timed in Keras. That is done in a process of its own: a process's peak memory counts what it was
forked from. Writes benchmarks/results/footprint.md (not with a BUNDLE).
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contest import HERE, OURS, Entrant, write_results

from kerasllm.serving.bundle import open_bundle
from kerasllm.serving.footprint import installed, measure_footprint, serving_requirements

REPEATS = 5
RESULTS = HERE / "results" / "footprint.md"
TEXT = "word5 word6 word7 word8 word9"
# Keras on TensorFlow, its tokenizer's part done by ours: imports, weights, one answer.
KERAS = """
import sys, time
import keras, numpy as np, tokenizers
model = keras.saving.load_model(sys.argv[1], compile=False)
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[2])
def call():
    ids = np.array([tokenizer.encode(sys.argv[3]).ids])
    return np.asarray(model({"input_ids": ids, "attention_mask": np.ones_like(ids)}, training=False))
call()
print("answered", flush=True)
times = []
for _ in range(50):
    began = time.perf_counter()
    call()
    times.append(time.perf_counter() - began)
print(sorted(times)[25] * 1e3)
"""


def main() -> None:
    """Measures, prints, writes."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "bundle"
        if len(sys.argv) == 1:
            export = multiprocessing.get_context("spawn").Process(target=export_untrained, args=(bundle,))
            export.start()
            export.join()
        measured = {name: measure_footprint(bundle, name) for name in open_bundle(bundle).manifest.variants}
        rows = [
            f"| {OURS} {name} | {it['first_answer_s']:.2f} | {it['latency_ms']['p50']:.2f} | {it['peak_mb']:.0f} |"
            for name, it in measured.items()
        ]
        if len(sys.argv) == 1:
            rows.append(_keras_row(bundle))
    sizes, other = installed(serving_requirements()), installed(["tensorflow", "tokenizers"])
    loaded = next(iter(measured.values()))["loaded"]
    lines = ["| | first answer, s | p50, ms | peak memory, MB |", "|---|--:|--:|--:|", *rows, ""]
    lines += ["| installed | MB | of which read, MB |", "|---|--:|--:|"]
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        lines.append(f"| {name} | {size / 1e6:.1f} | {loaded.get(name.replace('-', '_'), 0) / 1e6:.1f} |")
    lines.append(f"| all of it | {sum(sizes.values()) / 1e6:.0f} | {sum(loaded.values()) / 1e6:.0f} |")
    bare = sum(installed(serving_requirements(), compiled=False).values())
    lines.append(f"| all of it by `pip install --no-compile` | {bare / 1e6:.0f} | |")
    lines.append(f"| TensorFlow and tokenizers | {sum(other.values()) / 1e6:.0f} | |")
    print("\n".join(lines))
    if len(sys.argv) == 1:
        about = (
            "An LSTM classifier of 10,000 words, 32 dimensions and 128 units, on one thread; every figure from "
            "processes that do nothing else. First answer: from the start of the process, median of five. Read: the "
            "bytes of the files that the process has loaded."
        )
        write_results(RESULTS, "The edge: what serving costs", about, {OURS: Entrant("")}, {}, lines)


def export_untrained(out: Path) -> None:
    """Makes a bundle of the size that the classifier has by default, and the Keras file of it beside."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    from kerasllm.export import export_bundle
    from kerasllm.models.classifier import ClassifierConfig, build_classifier

    words = ["[PAD]", "[UNK]", *(f"word{number}" for number in range(9_998))]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = build_classifier(ClassifierConfig(), vocab_size=len(words), classes=2)
    export_bundle(model, out, tokenizer=tokenizer, labels=["negative", "positive"])
    model.save(out.with_suffix(".keras"))


def _keras_row(bundle: Path) -> str:
    seconds, latencies, peaks = zip(*(_keras(bundle) for _ in range(REPEATS)), strict=True)
    return (
        f"| Keras on TensorFlow | {statistics.median(seconds):.2f} | {statistics.median(latencies):.2f} | "
        f"{max(peaks):.0f} |"
    )


def _keras(bundle: Path) -> tuple[float, float, float]:
    """Seconds to the first answer, milliseconds of one later on, and the most MB, in a process of its own."""
    command = [sys.executable, "-c", KERAS, str(bundle.with_suffix(".keras")), str(bundle / "tokenizer.json"), TEXT]
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **quiet})
    process.stdout.readline()
    seconds = time.perf_counter() - began
    latency = float(process.stdout.read())
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the program ended with {process.returncode}")
    return seconds, latency, usage.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()

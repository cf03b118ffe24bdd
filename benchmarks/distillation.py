"""How much of an encoder's accuracy on SST-2 does an LSTM keep, and at what share of its latency?

    python benchmarks/distillation.py --teacher RUN [--limit N]    (the data: sst2 in KERASLLM_DATA, or ../shared/data)

RUN is an encoder fine-tuned on SST-2 (`kerasllm finetune`). Every student reads the teacher's tokens and starts from
its token embeddings; the first one learns from the labels alone, the others from the teacher's probabilities too. All
are exported as fp32 and int8: accuracy on the test split and latency are those of the bundles. The runs lie in
benchmarks/work/distillation and are resumed if this is started again; benchmarks/results/distillation.md is written at
the end. With --limit, a rehearsal: an epoch on so many examples in a temporary folder, and a table that is only shown.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from kerasllm.data.augmentation import AugmentationConfig
from kerasllm.data.batches import BatchConfig
from kerasllm.data.dataset import Split
from kerasllm.data.sources import DataConfig, load_for_evaluation
from kerasllm.export import export_run
from kerasllm.models.classifier import ClassifierConfig
from kerasllm.serving import load
from kerasllm.serving.bundle import open_bundle
from kerasllm.tasks.distillation import DistillationConfig
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.distillation import distill
from kerasllm.training.settings import TrainingConfig

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "distillation.md"
WORK = HERE / "work" / "distillation"
VARIANTS = ("fp32", "int8")
ROUNDS = 300  # calls of every bundle, in turn
WIDE = ClassifierConfig(
    encoder="bilstm",
    units=128,
    embedding_dim=384,
    freeze_vectors=True,
    pooling="max",
    word_dropout=0.1,
    embedding_dropout=0.1,
    dropout=0.3,
)
NARROW = replace(WIDE, units=64, embedding_dim=128, freeze_vectors=False)
SOFT = DistillationConfig(temperature=3.0, soft=0.9, teacher_vectors=True)
STUDENTS = {
    "Bi-LSTM 128, vectors of 384, labels alone": (WIDE, replace(SOFT, soft=0.0)),
    "Bi-LSTM 128, vectors of 384": (WIDE, SOFT),
    "Bi-LSTM 64, vectors of 384": (replace(WIDE, units=64), SOFT),
    "Bi-LSTM 64, vectors of 128": (NARROW, SOFT),
    "LSTM 64, vectors of 128": (replace(NARROW, encoder="lstm"), SOFT),
}
TRAINING = TrainingConfig(epochs=8, learning_rate=1e-3, average=0.998)
# The teacher says what an altered copy of a text is worth, so they can be altered boldly.
ALTERED = AugmentationConfig(swap=0.05, delete=0.15)
HEAD = """# Distillation on SST-2

`python benchmarks/distillation.py --teacher RUN`. Accuracy on the {examples:,} test sentences (one standard error is
about 0.7 points) and the share of the teacher's; latency from a text to its label, one thread, on sentences of the
median length, {tokens} tokens: the median of {rounds} calls, all bundles in turn, and the share of the teacher's.

| model | MB fp32 | int8 | accuracy fp32 | int8 | kept fp32 | int8 | ms fp32 | int8 | of the teacher's fp32 | int8 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"""


def main() -> None:
    """Trains the students, measures all bundles, writes the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    data = DataConfig(source=str(_data() / "sst2"), limit=options.limit, augmentation=ALTERED)
    if options.limit is None:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(table(bundles(options.teacher, data, TRAINING, WORK), data))
        print(RESULTS.read_text())
        return
    with tempfile.TemporaryDirectory() as folder:
        print(table(bundles(options.teacher, data, replace(TRAINING, epochs=1), Path(folder)), data))


def bundles(teacher: Path, data: DataConfig, training: TrainingConfig, work: Path) -> dict[str, Path]:
    """The teacher's and every student's bundle, by name; a student that is there already is not trained again."""
    budget = 0.005 if data.limit is None else 1.0  # a rehearsal's models are no good in any variant
    made = {"teacher": exported(teacher, work / "teacher-bundle", budget)}
    for name, (layers, distillation) in STUDENTS.items():
        folder = work / name.lower().replace(", ", "-").replace(" ", "-")
        batches, tokenizer = BatchConfig(batch_size=128), TokenizerConfig(max_length=64)
        run = distill(teacher, data, layers, tokenizer, batches, training, distillation, folder, resume=True)
        made[name] = exported(run.path, folder.with_name(f"{folder.name}-bundle"), budget)
    return made


def exported(run: Path, out: Path, budget: float) -> Path:
    """The bundle of a run, whose int8 may lose at most `budget` of the accuracy, 0 to 1."""
    out.parent.mkdir(parents=True, exist_ok=True)
    export_run(run, out, variants=VARIANTS, max_drop=budget, overwrite=True)
    return out


def table(folders: dict[str, Path], data: DataConfig) -> str:
    """Accuracy and latency of every bundle, as a Markdown page."""
    served = {(name, kind): load(path, variant=kind, threads=1) for name, path in folders.items() for kind in VARIANTS}
    test = load_for_evaluation(data, served["teacher", "fp32"].labels).splits["test"]
    accuracy = {key: right(classifier, test) for key, classifier in served.items()}
    texts, tokens = of_median_length(served["teacher", "fp32"], test.texts)
    milliseconds = latencies(served, texts)
    page = HEAD.format(examples=len(test), tokens=tokens, rounds=ROUNDS)
    for name, path in folders.items():
        variants = open_bundle(path).manifest.variants
        cells = [f"{variants[kind]['bytes'] / 1e6:.1f}" for kind in VARIANTS]
        cells += [f"{accuracy[name, kind]:.2%}" for kind in VARIANTS]
        cells += [f"{accuracy[name, kind] / accuracy['teacher', kind]:.1%}" for kind in VARIANTS]
        cells += [f"{milliseconds[name, kind]:.3f}" for kind in VARIANTS]
        cells += [f"{milliseconds[name, kind] / milliseconds['teacher', kind]:.1%}" for kind in VARIANTS]
        page += f"| {name} | {' | '.join(cells)} |\n"
    return page + f"\nStudents: {SOFT}, {TRAINING}, {ALTERED}, {WIDE}.\n"


def right(classifier: Any, split: Split) -> float:
    """Share of the texts that get their label."""
    return float((classifier.probabilities(split.texts).argmax(axis=1) == split.labels).mean())


def of_median_length(classifier: Any, texts: Sequence[str]) -> tuple[list[str], int]:
    """The texts of the median length, and that length in tokens."""
    lengths = np.array([len(ids) for ids in classifier.tokenize(texts)])
    median = int(np.median(lengths))
    return [text for text, length in zip(texts, lengths, strict=True) if length == median], median


def latencies(served: dict[Any, Any], texts: Sequence[str]) -> dict[Any, float]:
    """Median milliseconds of a call of each classifier with one text; they take turns, so noise meets all alike."""
    seconds: dict[Any, list[float]] = {key: [] for key in served}
    for turn in range(ROUNDS):
        text = texts[turn % len(texts)]
        for key, classifier in served.items():
            classifier(text)  # what ran before has left the caches full of its own
            start = time.perf_counter()
            classifier(text)
            seconds[key].append(time.perf_counter() - start)
    return {key: 1e3 * float(np.median(values)) for key, values in seconds.items()}


def _data() -> Path:
    return Path(os.environ.get("KERASLLM_DATA", HERE.parents[1] / "shared" / "data"))


if __name__ == "__main__":
    main()

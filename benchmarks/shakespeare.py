"""Tiny Shakespeare, character by character, at nanoGPT's setting for a CPU, beside the same model in PyTorch.

    python benchmarks/shakespeare.py [--iterations N] [--pairs N]    (the data: tinyshakespeare in KERASLLM_DATA, or in
                                                                      ../shared/data)

nanoGPT's README has it: 4 layers, 4 heads, 128 wide, context 64, 2,000 iterations of 12 rows, no dropout, and a
validation loss of 1.88, with a learning rate of 1e-3 that falls over all iterations; ours falls from 4e-3, which suits
so small a model better. The last tenth of the text is held out, and all of it is scored. The architecture is GPT-2's
here as there; that of Llama is trained beside it.

Speed is of whole training steps, ours and those of a plain PyTorch loop in its own environment, in turns, so that what
else the machine does meets both. `--iterations` and `--pairs` make a quick try (which writes no results).
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from contest import TORCH
from peers.environment import python_of

from kerasllm.data.plain_texts import PlainTextConfig
from kerasllm.models.decoder import DecoderConfig
from kerasllm.run import Run
from kerasllm.tokenizing.decoder_tokenizer import DecoderTokenizerConfig
from kerasllm.training.decoder_pretraining import CausalRowConfig, pretrain_decoder
from kerasllm.training.history import read_history
from kerasllm.training.settings import TrainingConfig

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("KERASLLM_DATA", HERE.parents[1] / "shared" / "data"))
RESULTS = HERE / "results" / "shakespeare.md"
EPOCHS, ITERATIONS, PAIRS = 8, 2_000, 5  # validation after an eighth of the iterations
GOAL = 1.88  # nats a character
SIZES: dict[str, Any] = {"layers": 4, "heads": 4, "hidden": 128, "context": 64}
HEAD = """# Tiny Shakespeare on a CPU

`python benchmarks/shakespeare.py`. nanoGPT's setting for a CPU: 4 layers, 4 heads, 128 wide, context 64, {iterations:,}
iterations of 12 rows, characters; the learning rate falls from 4e-3, there from 1e-3. Validation loss is of the whole
last tenth of the text ({tokens:,} characters); nanoGPT's README has {goal}.

| architecture | parameters | validation loss | bits a byte | right | model FLOP utilisation |
|---|---:|---:|---:|---:|---:|
{scores}
Training speed of the GPT-2 architecture, whole steps, each in its own process, in turns, {threads} threads each; the
median of {pairs} turns:

| | tokens/s |
|---|---:|
{speeds}
A sample of the GPT-2 architecture, at temperature 0.8:

```
{sample}
```
"""


def main() -> None:
    """Trains, measures, and writes the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--iterations", type=int, default=ITERATIONS)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    asked = parser.parse_args()
    whole = (asked.iterations, asked.pairs) == (ITERATIONS, PAIRS)
    work = HERE / "work" / ("shakespeare" if whole else "shakespeare-try")
    text = work / "input.txt"
    work.mkdir(parents=True, exist_ok=True)
    text.write_bytes(gzip.decompress((DATA / "tinyshakespeare" / "input.txt.gz").read_bytes()))
    runs = {name: train(text, name, asked.iterations, work / name) for name in ("gpt2", "llama")}
    report = HEAD.format(
        iterations=asked.iterations,
        goal=GOAL,
        tokens=runs["gpt2"].metrics["validation"]["tokens"],
        scores="".join(_scores(name, run) for name, run in runs.items()),
        threads=len(os.sched_getaffinity(0)),
        pairs=asked.pairs,
        speeds="".join(f"| {name} | {value:,.0f} |\n" for name, value in speeds(asked.pairs).items()),
        sample=_sample(runs["gpt2"]),
    )
    print(report)
    if whole:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(report)
        loss = runs["gpt2"].metrics["validation"]["loss"]
        if loss > GOAL:
            sys.exit(f"The validation loss must be at most {GOAL}. Received: {loss:.4f}.")


def train(text: Path, architecture: Any, iterations: int, out: Path) -> Run:
    """A run at nanoGPT's setting."""
    return pretrain_decoder(
        PlainTextConfig(texts=(text,)),
        DecoderTokenizerConfig(kind="char", max_length=SIZES["context"]),
        DecoderConfig(decoder="nano", architecture=architecture, **SIZES),
        CausalRowConfig(batch_size=12, steps=-(-iterations // EPOCHS), prompts=("ROMEO:",)),
        TrainingConfig(epochs=EPOCHS, patience=0, learning_rate=4e-3, schedule="cosine", weight_decay=0.1),
        out,
        resume=True,
    )


def speeds(pairs: int) -> dict[str, float]:
    """Median tokens/s of each, in turns."""
    peers = {
        "kerasllm (Keras on TensorFlow, XLA)": (Path(sys.executable), "shakespeare_keras.py"),
        "PyTorch, as nanoGPT has it": (python_of("pytorch", TORCH), "shakespeare_pytorch.py"),
    }
    found: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(pairs):
        for name, (python, script) in peers.items():
            command = [str(python), str(HERE / "peers" / script)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE.parent)
            found[name].append(json.loads(done.stdout.splitlines()[-1])["tokens_per_second"])
    return {name: median(values) for name, values in found.items()}


def _scores(name: str, run: Run) -> str:
    score = run.metrics["validation"]
    used = median(row["flop_utilisation"] for row in read_history(run.path / "history.csv"))
    return (
        f"| {name} | {run.metrics['parameters']:,} | {score['loss']:.4f} | {score['bits_per_byte']:.4f} | "
        f"{score['token_accuracy']:.2%} | {used:.1%} |\n"
    )


def _sample(run: Run) -> str:
    from kerasllm.models.writing import write_text

    prompt, context = "ROMEO:", SIZES["context"]
    options: dict[str, Any] = {"context": context, "max_new_tokens": 300, "temperature": 0.8, "opening": 0}
    return prompt + write_text(run.load_model(), run.load_tokenizer(), prompt, **options)


if __name__ == "__main__":
    main()

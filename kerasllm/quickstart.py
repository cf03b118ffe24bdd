"""The whole road on made-up reviews: fit, evaluate, export, verify, predict, measure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .console import console
from .data.batches import BatchConfig
from .data.sources import DataConfig
from .metrics.classification import classification_metrics
from .models.classifier import ClassifierConfig
from .run import Run
from .tokenizing.tokenizer import TokenizerConfig, encode
from .training.classifier_training import train
from .training.settings import TrainingConfig

SENTENCES = (
    "The soup was not at all good.",
    "The room was shabby, but I loved the view from the balcony.",
    "My neighbour hated the weather. The acting was brilliant.",
)


@dataclass(frozen=True, kw_only=True)
class QuickstartConfig:
    """How big the quickstart is."""

    epochs: int = 4
    """Passes over the training data."""
    limit: int | None = None
    """Read at most so many examples of each split."""
    seed: int = 0
    """For data order and initial weights."""


def run_quickstart(config: QuickstartConfig, out: Path) -> dict[str, Any]:
    """Goes the whole road once.

    Args:
        config: How big it is.
        out: A folder for the RUN (`run`) and the BUNDLE (`bundle`); what an earlier quickstart left there is replaced.

    Returns:
        "rows": for Keras and each variant of the bundle accuracy on the test split, size in bytes and p50 latency in ms
        of one text; "predictions"; "curves" and "bundle": paths.
    """
    run = train(
        DataConfig(source="builtin:reviews", limit=config.limit),
        TokenizerConfig(max_length=64),
        ClassifierConfig(),
        BatchConfig(),
        TrainingConfig(epochs=config.epochs, learning_rate=2e-3, seed=config.seed),
        out / "run",
        overwrite=True,
    )
    from .export.sources import export_run
    from .serving import load

    with console.status("Exporting"):
        manifest = export_run(run.path, out / "bundle", overwrite=True)
    test = run.dataset().splits["test"]

    def accuracy(probabilities: np.ndarray) -> float:
        return classification_metrics(test.labels, probabilities, run.labels, run.multi_label)["accuracy"]

    rows = [_keras_row(run, accuracy(run.probabilities(test.texts)), test.texts[0])]
    for name, variant in manifest["variants"].items():
        classifier = load(out / "bundle", variant=name, threads=1)
        rows.append(
            _variant_row(name, variant, accuracy(classifier.probabilities(test.texts)), classifier, test.texts[0])
        )
    answers = load(out / "bundle")(list(SENTENCES))
    predictions = [{"text": text, **answer} for text, answer in zip(SENTENCES, answers, strict=True)]
    return {
        "rows": rows,
        "predictions": predictions,
        "curves": str(run.path / "curves.png"),
        "bundle": str(out / "bundle"),
    }


def _keras_row(run: Run, accuracy: float, text: str) -> dict[str, Any]:
    """The model as Keras runs it: `predict_on_batch`, its fastest road for one text."""
    from .serving.measurement import measure_latency

    model, tokenizer = run.load_model(), run.load_tokenizer()

    def classify() -> Any:
        ids = encode(tokenizer, [text], run.max_length)[0][None]
        return model.predict_on_batch({"input_ids": ids, "attention_mask": np.ones_like(ids)})

    size = (run.path / "model.keras").stat().st_size
    return {"model": "Keras", "accuracy": accuracy, "bytes": size, "p50_ms": measure_latency(classify)["p50"]}


def _variant_row(name: str, variant: dict[str, Any], accuracy: float, classifier: Any, text: str) -> dict[str, Any]:
    from .serving.measurement import measure_latency

    return {
        "model": f"ONNX {name}",
        "accuracy": accuracy,
        "bytes": variant["bytes"],
        "p50_ms": measure_latency(lambda: classifier(text))["p50"],
    }

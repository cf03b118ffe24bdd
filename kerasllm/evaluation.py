"""Scoring a RUN or a BUNDLE on labelled texts: the same texts, tokens and metrics for both."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .atomic import new_folder
from .data.dataset import Split, TextDataset
from .data.sources import DataConfig, load_dataset, load_for_evaluation
from .metrics import classification_metrics
from .plots import save_confusion, save_reliability
from .run import from_settings, open_run


class Classifier(Protocol):
    """What a RUN and a served BUNDLE have in common."""

    @property
    def labels(self) -> Sequence[str]:
        """The classes' names."""

    @property
    def multi_label(self) -> bool:
        """Whether a text has any number of labels."""

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Scores of every label, float32 [texts, labels]."""


def evaluate(
    source: Path,
    *,
    data: DataConfig | None = None,
    split: str | None = None,
    variant: str | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Scores a model.

    Args:
        source: A RUN or a BUNDLE folder.
        data: The labelled texts; by default those that the model was trained on, read again.
        split: "train", "validation" or "test"; by default the last of them that the data has.
        variant: Of a BUNDLE: "fp32" or "int8"; by default its own.
        out: A folder to write metrics.json, confusion.png and reliability.png to.

    Returns:
        "source", "kind" ("run" or "bundle"), "data", "split", and what `classification_metrics` returns.

    Raises:
        FileNotFoundError: There is no such folder or data.
        ValueError: The data has no such split, or labels that the model does not know.
    """
    source = Path(source)
    is_bundle = (source / "kerasllm.json").is_file()
    if not is_bundle and not (source / "config.json").is_file():
        raise FileNotFoundError(
            f"What is evaluated must be a RUN or a BUNDLE folder. Received: {source}, which is neither."
        )
    model, training_data = _open_bundle(source, variant) if is_bundle else _open_run(source, variant)
    dataset = _dataset(source, model, data, training_data)
    name, examples = _split(dataset, split)
    probabilities = model.probabilities(examples.texts)
    report = {
        "source": str(source),
        "kind": "bundle" if is_bundle else "run",
        "data": dataset.name,
        "split": name,
        **classification_metrics(examples.labels, probabilities, model.labels, model.multi_label),
    }
    if out is not None:
        _write(Path(out), report, examples, probabilities, model)
    return report


def _open_run(source: Path, variant: str | None) -> tuple[Classifier, dict[str, Any] | None]:
    if variant is not None:
        raise ValueError(f"Only a bundle has variants. Received: variant {variant!r} of the run {source}.")
    run = open_run(source)
    return run, run.config["data"]


def _open_bundle(source: Path, variant: str | None) -> tuple[Classifier, dict[str, Any] | None]:
    from .serving import load

    classifier = load(source, variant=variant)
    manifest = json.loads((source / "kerasllm.json").read_text(encoding="utf-8"))
    return classifier, manifest.get("provenance", {}).get("config", {}).get("data")


def _dataset(
    source: Path, model: Classifier, data: DataConfig | None, training_data: dict[str, Any] | None
) -> TextDataset:
    if data is not None:
        return load_for_evaluation(data, model.labels, model.multi_label)
    if training_data is None:
        raise ValueError(f"Labelled texts must be named for a bundle that was not made from a run. Received: {source}.")
    return load_dataset(from_settings(DataConfig, training_data))


def _split(dataset: TextDataset, name: str | None) -> tuple[str, Split]:
    if name is None:
        name = next(name for name in ("test", "validation", "train") if name in dataset.splits)
    if name not in dataset.splits:
        raise ValueError(f"The split must be one of {', '.join(dataset.splits)} of {dataset.name}. Received: {name}.")
    return name, dataset.splits[name]


def _write(out: Path, report: dict[str, Any], split: Split, probabilities: np.ndarray, model: Classifier) -> None:
    with new_folder(out) as folder:
        (folder / "metrics.json").write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")
        save_reliability(folder / "reliability.png", split.labels, probabilities)
        if not model.multi_label:
            save_confusion(folder / "confusion.png", report["confusion"], list(model.labels))

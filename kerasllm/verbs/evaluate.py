"""`kerasllm evaluate`: score a RUN or a BUNDLE on a labelled split."""

from pathlib import Path
from typing import Any

from ..console import console, print_json, print_table
from ..data.sources import DataConfig
from ..evaluation import evaluate as evaluate_source


def evaluate(
    source: Path,
    *,
    data: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    label_separator: str | None = None,
    split: str | None = None,
    variant: str | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Score a RUN or a BUNDLE on labelled texts: accuracy, precision, recall, F1, calibration.

    For instance:

        kerasllm evaluate runs/reviews

        kerasllm evaluate bundles/reviews --variant fp32 --data more.csv --out report

    Args:
        source: A RUN or a BUNDLE folder.
        data: Other labelled texts than the model was trained on: anything that `kerasllm train` reads.
        text_column: The column of texts in --data, where its name can't be guessed.
        label_column: The column of labels in --data, where its name can't be guessed.
        label_separator: Splits a label of --data into several, for instance "|": multi-label.
        split: train, validation or test (default: the last of them that the data has).
        variant: fp32, int8 or another that a bundle has (default: the bundle's own).
        out: A new folder for metrics.json, confusion.png and reliability.png.
        json: Print everything as JSON.
    """
    config = None
    if data is not None:
        config = DataConfig(
            source=data, text_column=text_column, label_column=label_column, label_separator=label_separator
        )
    report = evaluate_source(source, data=config, split=split, variant=variant, out=out)
    if json:
        print_json(report)
    else:
        _print(report)


def _print(report: dict[str, Any]) -> None:
    averages = [(f"{kind} average", report[kind], "") for kind in ("macro", "micro")]
    classes = [(name, scores, f"{scores['examples']:,}") for name, scores in report["per_class"].items()]
    rows = [
        (name, *(f"{scores[key]:.2%}" for key in ("precision", "recall", "f1")), count)
        for name, scores, count in [*classes, *averages]
    ]
    title = f"{report['source']}: {report['examples']:,} texts, {report['split']} split of {report['data']}"
    print_table(title, ("class", "precision", "recall", "F1", "texts"), rows)
    console.print(
        f"accuracy {report['accuracy']:.2%}, calibration error {report['calibration_error']:.2%}, "
        f"loss {report['loss']:.4f}",
        highlight=False,
    )

"""`kerasllm evaluate`: score a RUN or a BUNDLE on its task's examples."""

from pathlib import Path
from typing import Any

from ..console import print_json, print_table
from ..data.sources import DataConfig
from ..evaluation.report import evaluate as evaluate_source


def evaluate(
    source: Path,
    *,
    data: str | None = None,
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
    label_separator: str | None = None,
    split: str | None = None,
    variant: str | None = None,
    out: Path | None = None,
    json: bool = False,
) -> None:
    """Score a RUN or a BUNDLE on its task's examples, with the task's own metrics.

    Those are accuracy, precision, recall, F1 and calibration of classes; precision, recall and F1 of named spans; exact
    match and F1 of answers; the rank correlation of sentence vectors; accuracy and perplexity of masked tokens;
    perplexity and bits a byte of running text, or of the answers of dialogues.

    For instance:

        kerasllm evaluate runs/reviews

        kerasllm evaluate bundles/reviews --variant fp32 --data more.csv --out report

    Args:
        source: A RUN or a BUNDLE folder.
        data: Other examples than the model was trained on: anything that `kerasllm train` or `finetune` reads.
        text_column: The column of texts in --data, where its name can't be guessed.
        pair_column: The column of second texts in --data, for a task on two texts.
        label_column: The column of labels in --data, where its name can't be guessed.
        label_separator: Splits a label of --data into several, for instance "|": multi-label.
        split: train, validation or test (default: the last of them that the data has).
        variant: fp32, int8 or another that a bundle has (default: the bundle's own).
        out: A new folder for metrics.json and, for classes, confusion.png and reliability.png.
        json: Print everything as JSON.
    """
    config = None
    if data is not None:
        config = DataConfig(
            source=data,
            text_column=text_column,
            pair_column=pair_column,
            label_column=label_column,
            label_separator=label_separator,
        )
    report = evaluate_source(source, data=config, split=split, variant=variant, out=out)
    if json:
        print_json(report)
    else:
        _print(report)


def _print(report: dict[str, Any]) -> None:
    title = f"{report['source']}: {report['split']} split of {report['data']}"
    rows = _class_rows(report)
    if rows:
        print_table(title, ("class", "precision", "recall", "F1", "examples"), rows)
        title = "all together"
    scores = {name: value for name, value in report.items() if isinstance(value, (int, float))}
    print_table(title, ("score", "value"), [(name.replace("_", " "), _shown(value)) for name, value in scores.items()])
    for kind in ("answerable", "unanswerable"):
        if kind in report:
            print_table(kind, ("score", "value"), [(name, _shown(value)) for name, value in report[kind].items()])


def _class_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """A row a class or a type of span, and their averages; none for a task without them."""
    classes = report.get("per_class") or report.get("per_type") or {}
    counted = [(name, scores, scores.get("examples", scores.get("spans", 0))) for name, scores in classes.items()]
    averages = [(f"{kind} average", report[kind], None) for kind in ("macro", "micro") if kind in report]
    return [
        (name, *(f"{scores[key]:.2%}" for key in ("precision", "recall", "f1")), "" if count is None else f"{count:,}")
        for name, scores, count in [*counted, *averages]
    ]


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"

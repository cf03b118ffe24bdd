"""Scoring a RUN or a BUNDLE on its task's examples: the same examples, tokens and metrics for both."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import new_folder
from ..data.dataset import Split
from ..data.sources import DataConfig
from ..plots import save_confusion, save_reliability
from ..run import Run, open_run
from .examples import Asker, read_examples
from .scoring import score, score_classes


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
        data: The examples; by default those that the model was trained on, read again.
        split: "train", "validation" or "test"; by default the last of them that the data has.
        variant: Of a BUNDLE: "fp32" or "int8"; by default its own.
        out: A folder to write metrics.json to, and for a classifier confusion.png and reliability.png.

    Returns:
        "source", "kind" ("run" or "bundle"), "task", "data", "split", and what the task reports: for a classifier what
        `classification_metrics` returns.

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
    model, asker = _open_bundle(source, variant) if is_bundle else _open_run(source, variant)
    where, splits = read_examples(asker, data)
    name, examples = _split(where, splits, split)
    if not is_bundle:
        model = _as_served(model, examples)
    scored = score_classes(model, examples) if isinstance(model, Run) else score(model, examples)
    report = {
        "source": str(source),
        "kind": "bundle" if is_bundle else "run",
        "task": asker.task,
        "data": where,
        "split": name,
        **scored.report,
    }
    if out is not None:
        _write(Path(out), report, examples, scored.values, model)
    return report


def _open_run(source: Path, variant: str | None) -> tuple[Run, Asker]:
    if variant is not None:
        raise ValueError(f"Only a bundle has variants. Received: variant {variant!r} of the run {source}.")
    run = open_run(source)
    return run, asker_of(run)


def asker_of(run: Run) -> Asker:
    """What a run says of itself."""
    return Asker(
        task=run.task,
        labels=run.labels,
        multi_label=run.multi_label,
        tokenizer=run.load_tokenizer(),
        config=run.config,
    )


def _open_bundle(source: Path, variant: str | None) -> tuple[Any, Asker]:
    from ..serving import load

    served = load(source, variant=variant)
    manifest = json.loads((source / "kerasllm.json").read_text(encoding="utf-8"))
    return served, Asker(
        task=manifest["task"],
        labels=tuple(manifest["labels"]),
        multi_label=manifest["multi_label"],
        tokenizer=served.tokenizer,
        config=manifest.get("provenance", {}).get("config"),
    )


def _as_served(run: Run, examples: Any) -> Any:
    """A run's own classifier of single texts answers without onnxruntime; all else is asked as its bundle will be."""
    from .served_run import run_settings, serve_run

    if run.task == "text-classification" and "encoder" not in run.config and examples.pairs is None:
        return run
    return serve_run(run, run_settings(run, examples))


def _split(where: str, splits: dict[str, Any], name: str | None) -> tuple[str, Any]:
    if name is None:
        name = next(name for name in ("test", "validation", "train") if name in splits)
    if name not in splits:
        raise ValueError(f"The split must be one of {', '.join(splits)} of {where}. Received: {name}.")
    return name, splits[name]


def _write(out: Path, report: dict[str, Any], split: Any, probabilities: np.ndarray | None, model: Any) -> None:
    with new_folder(out) as folder:
        (folder / "metrics.json").write_text(json.dumps(report, ensure_ascii=False, indent=2), encoding="utf-8")
        if isinstance(split, Split) and probabilities is not None:
            save_reliability(folder / "reliability.png", split.labels, probabilities)
            if not model.multi_label:
                save_confusion(folder / "confusion.png", report["confusion"], list(model.labels))

"""What can be exported from disk: a RUN folder, or a .keras file with its tokenizer and labels."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from ..data.dataset import Split
from ..data.sources import DataConfig, load_for_evaluation
from ..run import open_run
from .bundle import export_bundle
from .errors import ExportError


def export_source(
    source: str | Path,
    out: str | Path,
    *,
    tokenizer: str | Path | None = None,
    labels: Sequence[str] | None = None,
    multi_label: bool = False,
    validation: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Exports a RUN folder or a .keras file.

    Args:
        source: The folder or file. A run says tokenizer and labels itself.
        out: The bundle folder to make.
        tokenizer: The tokenizer.json that the model of a file was trained with.
        labels: Names of the classes of a file's model, in the order of its scores.
        multi_label: Whether a text can have several labels, for a file.
        validation: A source of labelled texts, as `DataConfig` takes it; None: the run's own, for a file none.
        **options: Further options of `export_bundle`.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: There is no such source, or the data of the run are gone.
        ValueError: The source is damaged, or options do not fit it.
        ExportError: As for `export_bundle`, or the file needs code that is not Keras's own.
    """
    if Path(source).is_dir():
        _refuse(
            source, tokenizer=tokenizer, labels=labels, multi_label=multi_label, max_length=options.get("max_length")
        )
        run = open_run(source)
        return export_run(run.path, out, validation=_validation(validation, run.labels, run.multi_label), **options)
    model = load_model_file(Path(source))
    if tokenizer is None or not labels:
        raise ValueError(
            f"A model file does not hold its tokenizer and labels. Received: {source} alone. "
            "Add --tokenizer tokenizer.json --labels NAME,NAME (in the order of the model's scores)."
        )
    return export_bundle(
        model,
        out,
        tokenizer=tokenizer,
        labels=labels,
        multi_label=multi_label,
        validation=_validation(validation, labels, multi_label),
        provenance={"source": "file", "file": Path(source).name},
        **options,
    )


def export_run(path: str | Path, out: str | Path, *, validation: Split | None = None, **options: Any) -> dict[str, Any]:
    """Exports the model of a RUN folder.

    Args:
        path: The RUN folder.
        out: The bundle folder to make.
        validation: Labelled texts to take the metric on; None: those that the run was validated with.
        **options: Options of `export_bundle` that the run does not say itself.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: There is no such run, or the data that it was trained on are gone.
        ValueError: The run or an option makes no sense.
        ExportError: As for `export_bundle`.
    """
    run = open_run(path)
    options["max_length"] = run.max_length
    return export_bundle(
        run.load_model(),
        out,
        tokenizer=run.load_tokenizer(),
        labels=run.labels,
        multi_label=run.multi_label,
        validation=validation or run.dataset().splits["validation"],
        provenance={"source": "run", "config": run.config},
        **options,
    )


def load_model_file(path: Path) -> keras.Model:
    """Loads a .keras file in safe mode: no code from the file is run.

    Args:
        path: The file.

    Returns:
        The model, not compiled.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no .keras file.
        ExportError: It needs code that is not Keras's own: a Lambda layer, or a class that Keras does not know.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"The source must be a RUN folder or a .keras file. Received: {path}, which is neither."
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"A model file must be a whole .keras file. Received: {path}, which is damaged or of another kind. "
            "Save the model again with model.save('model.keras')."
        )
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds of errors for what a file can have wrong
        what = "a Lambda layer" if "Lambda" in str(error) else "a part that Keras does not know or cannot read"
        raise ExportError(
            f"A .keras file is loaded without running code of it, so it must hold Keras's own layers alone. "
            f"Received: {path}, with {what}. Use keras.ops or Keras's layers there, or load the model in your own "
            "program and call kerasllm.export.export_bundle."
        ) from error


def _validation(source: str | None, labels: Sequence[str], multi_label: bool) -> Split | None:
    """The labelled texts of a source: its validation split, or the one that it has."""
    if source is None:
        return None
    splits = load_for_evaluation(DataConfig(source=source), labels, multi_label).splits
    return splits.get("validation") or splits["test"]


def _refuse(source: str | Path, **given: Any) -> None:
    """A run says these itself; another value would be a model that was never trained."""
    extra = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if extra:
        raise ValueError(f"A RUN folder says this itself. Received: {', '.join(extra)} for {source}. Leave it out.")

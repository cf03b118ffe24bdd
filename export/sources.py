"""What can be exported from disk: a RUN folder, an encoder's folder, or a .keras file with its tokenizer and labels."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tokenizers

from ..evaluation.examples import Asker, read_held_out
from ..evaluation.report import asker_of
from ..evaluation.served_run import load_task_model, run_settings
from ..pretrained.heads import fine_tuned_task
from ..pretrained.settings import read_json
from ..run import open_run
from ..tokenizing.tokenizer import load_tokenizer
from .bundle import export_bundle
from .decoder_folder import export_decoder, is_decoder
from .encoder_folder import export_encoder, export_fine_tuned
from .errors import ExportError


def export_source(
    source: str | Path,
    out: str | Path,
    *,
    task: str | None = None,
    tokenizer: tokenizers.Tokenizer | str | Path | None = None,
    labels: Sequence[str] | None = None,
    multi_label: bool = False,
    validation: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Exports a RUN folder, the folder of a pretrained encoder, or a .keras file.

    Args:
        source: The folder or file. A run says its task, tokenizer and labels itself.
        out: The bundle folder to make.
        task: The Hugging Face name of the task; None: a run's own, for an encoder's folder the one that it was
            fine-tuned for, else feature-extraction, for a file text-classification. Of a run of another task the
            encoder alone can be exported, for feature-extraction.
        tokenizer: The tokenizer.json that the model of a file was trained with.
        labels: Names of the classes of a file's model, in the order of its scores.
        multi_label: Whether a text can have several labels, for a file.
        validation: A source of the task's examples, as `DataConfig` takes it; None: the run's own, else none.
        **options: Further options of `export_bundle`; for an encoder's folder also "pooling".

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: There is no such source, or the data of the run are gone.
        ValueError: The source is damaged, or options do not fit it.
        ExportError: As for `export_bundle`, or the file needs code that is not Keras's own.
    """
    if is_decoder(str(source)):
        _refuse(source, labels=labels, multi_label=multi_label, pooling=options.pop("pooling", None))
        return export_decoder(str(source), out, tokenizer=tokenizer, validation=validation, **options)
    if Path(source).is_dir():
        _refuse(source, tokenizer=tokenizer, labels=labels, multi_label=multi_label)
        trained_for = _trained_for(Path(source))
        if trained_for is not None and task in (None, trained_for):
            _refuse(source, max_length=options.get("max_length"), pooling=options.pop("pooling", None))
            return export_run(source, out, validation=validation, **options)
        own = fine_tuned_task(Path(source)) if trained_for is None else None
        if own is not None and task in (None, own):
            _refuse(source, pooling=options.pop("pooling", None))
            return export_fine_tuned(Path(source), out, validation=validation, **options)
        return export_encoder(Path(source), out, task=task or "feature-extraction", validation=validation, **options)
    model, task = load_model_file(Path(source)), task or "text-classification"
    _refuse(source, pooling=options.pop("pooling", None))
    if tokenizer is None or (not labels and task in ("text-classification", "token-classification")):
        raise ValueError(
            f"A model file does not hold its tokenizer and labels. Received: {source} alone. "
            "Add --tokenizer tokenizer.json --labels NAME,NAME (in the order of the model's scores)."
        )
    if not isinstance(tokenizer, tokenizers.Tokenizer):
        tokenizer = load_tokenizer(Path(tokenizer))
    asker = Asker(task=task, labels=labels or (), multi_label=multi_label, tokenizer=tokenizer)
    return export_bundle(
        model,
        out,
        task=task,
        tokenizer=tokenizer,
        labels=labels or (),
        multi_label=multi_label,
        validation=None if validation is None else read_held_out(asker, validation),
        provenance={"source": "file", "file": Path(source).name},
        **options,
    )


def _trained_for(folder: Path) -> str | None:
    """The task of a RUN; None where the folder is an encoder's. An empty one counts as a RUN that lacks something."""
    if not (folder / "config.json").is_file():
        return "text-classification"
    settings = read_json(folder / "config.json")
    return settings.get("task", "text-classification") if "format" in settings else None


def export_run(path: str | Path, out: str | Path, *, validation: Any = None, **options: Any) -> dict[str, Any]:
    """Exports the model of a RUN folder for the task that it was trained for.

    Args:
        path: The RUN folder.
        out: The bundle folder to make.
        validation: Examples of the task to take the metric on, or where to read them; None: those that the run was
            validated with.
        **options: Options of `export_bundle` that the run does not say itself.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: There is no such run, or the data that it was trained on are gone.
        ValueError: The run or an option makes no sense.
        ExportError: As for `export_bundle`.
    """
    run = open_run(path)
    if isinstance(validation, str) or validation is None:
        validation = read_held_out(asker_of(run), validation)
    options["max_length"] = run.config["decoder"]["context"] if "decoder" in run.config else run.max_length
    return export_bundle(
        load_task_model(run),
        out,
        task=run.task,
        tokenizer=run.load_tokenizer(),
        labels=run.labels,
        multi_label=run.multi_label,
        settings=run_settings(run, validation),
        validation=validation,
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
            "The source must be a RUN folder or a .keras file, or the folder of an encoder. "
            f"Received: {path}, which is none of them."
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


def _refuse(source: str | Path, **given: Any) -> None:
    """A folder says these itself; another value would be a model that was never trained."""
    extra = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if extra:
        raise ValueError(f"The source says this itself. Received: {', '.join(extra)} for {source}. Leave it out.")

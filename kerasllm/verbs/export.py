"""`kerasllm export`: turn a RUN or a .keras file into a verified BUNDLE."""

from pathlib import Path
from typing import Any, Literal

from ..console import console, print_json, print_table


def export(
    source: Path,
    *,
    out: Path,
    variants: str = "fp32,int8",
    tokenizer: Path | None = None,
    task: str = "text-classification",
    labels: str | None = None,
    multi_label: bool = False,
    max_length: int | None = None,
    activation: Literal["softmax", "sigmoid", "none"] | None = None,
    padding_side: Literal["left", "right"] | None = None,
    validation: str | None = None,
    max_drop: float = 0.5,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Turn a RUN or a .keras file into a verified ONNX BUNDLE, fp32 and int8.

    A RUN says everything itself. A .keras file needs --tokenizer and --labels; no code from it is run.

    Args:
        source: A RUN folder or a .keras file.
        out: The bundle folder to make.
        variants: fp32, int8 or both, separated by commas; int8 is served by default where it is there.
        tokenizer: The tokenizer.json that the model was trained with (.keras only).
        task: The task, by its Hugging Face name.
        labels: Names of the classes by commas, in the order of the model's scores (.keras only).
        multi_label: A text can have several labels (.keras only).
        max_length: Tokens kept of a text (.keras only; default: the model's fixed length, else 256).
        activation: What makes probabilities of the output (.keras only; default: read off the last layer).
        padding_side: Where padding was in training (.keras only; needed if the model does not mask it).
        validation: Labelled texts to take the metric on, as for `train` (default: the RUN's own).
        max_drop: Points of the metric (percent) that int8 may lose on the validation texts.
        overwrite: Replace a bundle that is there.
        json: Print the manifest as JSON.
    """
    from ..export import export_source

    with console.status("loading") as status:
        manifest = export_source(
            source,
            out,
            tokenizer=tokenizer,
            labels=labels.split(",") if labels else None,
            validation=validation,
            task=task,
            variants=[name.strip() for name in variants.split(",")],
            multi_label=multi_label,
            max_length=max_length,
            activation=activation,
            padding_side=padding_side,
            max_drop=max_drop / 100,
            overwrite=overwrite,
            on_step=status.update,
        )
    if json:
        print_json(manifest)
    else:
        _print(out, manifest)


def _print(out: Path, manifest: dict[str, Any]) -> None:
    from ..export.card import columns, measured_on, variant_rows

    print_table(f"bundle {out}", columns(manifest), variant_rows(manifest))
    console.print(measured_on(manifest), highlight=False)

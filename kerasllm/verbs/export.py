"""`kerasllm export`: turn a RUN, a folder of weights or a .keras file into a verified BUNDLE."""

from pathlib import Path
from typing import Any, Literal

from ..console import console, print_json, print_table


def export(
    source: Path,
    *,
    out: Path,
    variants: str = "fp32,int8",
    portable: bool = False,
    task: str | None = None,
    tokenizer: Path | None = None,
    labels: str | None = None,
    multi_label: bool = False,
    pooling: Literal["mean", "cls"] | None = None,
    max_length: int | None = None,
    activation: Literal["softmax", "sigmoid", "none"] | None = None,
    padding_side: Literal["left", "right"] | None = None,
    validation: str | None = None,
    max_drop: float = 0.5,
    ort_format: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Turn a RUN, a folder of weights or a .keras file into a verified ONNX BUNDLE, fp32 and int8.

    A RUN says everything itself, and so does a folder of Hugging Face of a decoder, or of an encoder that was
    fine-tuned for a task. That of a
    pretrained encoder (Hugging Face or KerasHub) becomes a bundle of sentence vectors. A .keras file needs --tokenizer
    and, for classes, --labels; no code from it is run.

    Examples:

    kerasllm export runs/reviews --out bundles/reviews

    kerasllm export all-MiniLM-L6-v2 --out bundles/vectors --validation stsb

    kerasllm export runs/stories --out bundles/stories --variants fp32,int8,int4

    Args:
        source: A RUN folder, the folder of a pretrained encoder or decoder, the name of a decoder's KerasHub preset, or
            a .keras file.
        out: The bundle folder to make.
        variants: fp32, int8, static (int8 with ranges fixed by the validation examples) or portable, by commas; for
            decoders fp32, int8, int4, fp16 or portable. int8 is served by default where it is there.
        portable: Also write fp32 of standard ONNX operators alone, for other runtimes than onnxruntime.
        task: text-classification, token-classification, question-answering, feature-extraction or fill-mask (default:
            a RUN's own; for an encoder's folder the one that it was fine-tuned for, else feature-extraction; for a
            .keras file text-classification).
        tokenizer: The tokenizer.json that the model was trained with (.keras only).
        labels: Names of the classes by commas, in the order of the model's scores (.keras only).
        multi_label: A text can have several labels (.keras only).
        pooling: What stands for a text (encoders only; default: as its 1_Pooling/config.json says, else mean).
        max_length: Tokens kept of a text (not for a RUN; default: the model's fixed length or positions, else 256).
        activation: What makes probabilities of the output (.keras only; default: read off the last layer).
        padding_side: Where padding was in training (.keras only; needed if the model does not mask it).
        validation: The task's examples to take the metric on, as for training (default: the RUN's own).
        max_drop: Points of the metric (percent) that a variant may lose on the validation examples; of decoders, the
            percentage by which perplexity may rise, ten times as much for int4.
        ort_format: Also write each graph as an .ort file, and the list of their operators, for a reduced build of
            onnxruntime.
        overwrite: Replace a bundle that is there.
        json: Print the manifest as JSON.
    """
    from ..export import export_source

    names = [name.strip() for name in variants.split(",")]
    with console.status("loading") as status:
        manifest = export_source(
            source,
            out,
            task=task,
            tokenizer=tokenizer,
            labels=labels.split(",") if labels else None,
            validation=validation,
            variants=[*names, *["portable"] * (portable and "portable" not in names)],
            multi_label=multi_label,
            pooling=pooling,
            max_length=max_length,
            activation=activation,
            padding_side=padding_side,
            max_drop=max_drop / 100,
            ort_format=ort_format,
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

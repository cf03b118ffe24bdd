"""The model card: what the bundle is, what was measured, how to use it."""

from collections.abc import Mapping
from typing import Any


def model_card(manifest: Mapping[str, Any], name: str) -> str:
    """Writes README.md from the finished manifest, so that the two cannot disagree.

    Args:
        manifest: The document that becomes kerasllm.json.
        name: Name of the bundle.

    Returns:
        Markdown with a Hugging Face header.
    """
    labels = ", ".join(f"`{label}`" for label in manifest["labels"])
    limits = manifest["preprocessing"]
    kind = "any number of them" if manifest["multi_label"] else "one of them"
    return f"""---
library_name: kerasllm
pipeline_tag: {manifest["task"]}
---

# {name}

A text classifier exported from Keras to ONNX by kerasllm {manifest["producer"]["version"]}.
It gives a text {kind}: {labels}. Texts are cut after {limits["max_length"]} tokens.

{variants_table(manifest)}

{measured_on(manifest)}

## Use

```python
from kerasllm.serving import load

classifier = load("{name}")
classifier("...")
```

The graph is in `onnx/`, the tokenizer in `tokenizer.json`; `kerasllm.json` lists every file with its sha256.
"""


def variants_table(manifest: Mapping[str, Any]) -> str:
    """The measured table, a row a variant, in Markdown."""
    header = columns(manifest)
    rows = [header, ["---", *["---:"] * (len(header) - 1)], *variant_rows(manifest)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def columns(manifest: Mapping[str, Any]) -> list[str]:
    """The heads of the measured table."""
    metric = next(
        (variant["metric"]["name"] for variant in manifest["variants"].values() if "metric" in variant), "metric"
    )
    return ["variant", "MB", f"{metric} %", "as fp32 %", "difference", "quantized", "p50 ms"]


def variant_rows(manifest: Mapping[str, Any]) -> list[list[str]]:
    """The cells of the measured table, a row a variant in the order of `columns`."""
    return [_row(name, variant) for name, variant in manifest["variants"].items()]


def _row(name: str, variant: Mapping[str, Any]) -> list[str]:
    parity, metric, coverage = (variant.get(key) or {} for key in ("parity", "metric", "coverage"))
    return [
        name,
        f"{variant['bytes'] / 1e6:.2f}",
        f"{100 * metric['value']:.2f}" if metric else "not measured",
        f"{100 * parity['agreement']:.2f}" if "agreement" in parity else "-",
        f"{parity['max_abs_difference']:.1e}" if parity else "-",
        f"{coverage['quantized']} of {coverage['total']}" if coverage else "-",
        f"{variant['latency_ms']['p50']:.3f}" if "latency_ms" in variant else "-",
    ]


def measured_on(manifest: Mapping[str, Any]) -> str:
    """What the figures of the table were taken on, in a sentence or two."""
    variants = list(manifest["variants"].values())
    latency, cpu, metric = variants[0]["latency_ms"], manifest["cpu"], variants[0].get("metric")
    where = f"one thread of {cpu['model']}{'' if cpu['exact_int8'] else ' without VNNI'}"
    return (
        (f"Metric: on {metric['examples']:,} validation texts. " if metric else "")
        + "Difference: the largest one, for fp32 of the outputs from Keras's, else of the probabilities from fp32's. "
        + f"Latency: one text of {latency['tokens']} tokens, tokenizing included, on {where}."
    )

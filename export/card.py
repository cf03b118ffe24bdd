"""The model card: what the bundle is, what was measured, how to use it."""

import re
from collections.abc import Mapping
from typing import Any

# What a bundle of a task is, and an example of its use.
_KINDS = {
    "text-classification": ("A text classifier", 'classifier("...")  # [{"label", "score"}]'),
    "token-classification": (
        "A tagger of words",
        'tagger("Ada met Alan in London")  # [{"entity_group", "score", "word", "start", "end"}]',
    ),
    "question-answering": (
        "A reader that answers questions",
        'reader(question="...", context="...")  # {"answer", "score", "start", "end"}',
    ),
    "feature-extraction": ("A sentence encoder", 'encoder(["...", "..."])  # float32 [2, dimensions]'),
    "text-generation": ("A language model", 'generator.generate("Once upon a time").text'),
    "fill-mask": ("A masked language model", 'filler("... MASK ...")  # [{"score", "token_str", "sequence"}]'),
}


_EXAMPLES = {
    "text-classification": "texts",
    "token-classification": "texts",
    "question-answering": "questions",
    "feature-extraction": "pairs of texts",
    "fill-mask": "rows of text",
    "text-generation": "rows of text",
}


_PERPLEXITY = "perplexity"  # of a token: no share, and the lower, the better


def model_card(manifest: Mapping[str, Any], name: str) -> str:
    """Writes README.md from the finished manifest, so that the two cannot disagree.

    Args:
        manifest: The document that becomes kerasllm.json.
        name: Name of the bundle.

    Returns:
        Markdown with a Hugging Face header.
    """
    kind, use = _KINDS[manifest["task"]]
    use = use.replace("MASK", manifest.get("settings", {}).get("mask_token", "[MASK]"))
    return f"""---
library_name: kerasllm
pipeline_tag: {manifest["task"]}
---

# {name}

{kind} exported from Keras to ONNX by kerasllm {manifest["producer"]["version"]}.
{_gives(manifest)}

{variants_table(manifest)}

{measured_on(manifest)}

## Use

```python
from kerasllm.serving import load

{re.split(r"[.(]", use)[0]} = load("{name}")
{use}
```

The graph is in `onnx/`, the tokenizer in `tokenizer.json`; `kerasllm.json` lists every file with its sha256.
"""


def _gives(manifest: Mapping[str, Any]) -> str:
    """What the model makes of a text, and how much of it it reads."""
    limit, settings = manifest["preprocessing"]["max_length"], manifest.get("settings", {})
    labels = ", ".join(f"`{label}`" for label in manifest["labels"])
    cut = f"Texts are cut after {limit} tokens."
    if manifest["task"] == "token-classification":
        return f"It labels every word: {labels}. Texts of more than {limit} tokens are read in overlapping windows."
    if manifest["task"] == "question-answering":
        none = "It may say that there is no answer. " if settings.get("null") else ""
        return f"{none}Contexts of more than {limit} tokens are read in windows that share {settings['stride']}."
    if manifest["task"] == "feature-extraction":
        length = " of length 1" if settings["normalize"] else ""
        return f"A text becomes {settings['dimensions']} numbers{length} (pooling: {settings['pooling']}). {cut}"
    if manifest["task"] == "text-generation":
        return f"It goes on with a text, of {limit} tokens in all."
    if manifest["task"] == "fill-mask":
        return f"It fills in `{settings['mask_token']}`. Texts have at most {limit} tokens."
    texts = "two texts" if settings.get("pair") else "a text"
    return f"It gives {texts} {'any number of them' if manifest['multi_label'] else 'one of them'}: {labels}. {cut}"


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
    alike = "cosine to fp32" if _is_of_vectors(manifest) else "as fp32 %"
    return [
        "variant",
        "MB",
        metric if metric == _PERPLEXITY else f"{metric} %",
        alike,
        "difference",
        "quantized",
        "p50 ms",
    ]


def _is_of_vectors(manifest: Mapping[str, Any]) -> bool:
    return manifest["task"] == "feature-extraction"


def variant_rows(manifest: Mapping[str, Any]) -> list[list[str]]:
    """The cells of the measured table, a row a variant in the order of `columns`."""
    return [_row(name, variant) for name, variant in manifest["variants"].items()]


def _row(name: str, variant: Mapping[str, Any]) -> list[str]:
    parity, metric, coverage = (variant.get(key) or {} for key in ("parity", "metric", "coverage"))
    return [
        name,
        f"{variant['bytes'] / 1e6:.2f}",
        _value(metric) if metric else "not measured",
        _alike(parity),
        f"{parity['max_abs_difference']:.1e}" if parity else "-",
        f"{coverage['quantized']} of {coverage['total']}" if coverage else "-",
        f"{variant['latency_ms']['p50']:.3f}" if "latency_ms" in variant else "-",
    ]


def _value(metric: Mapping[str, Any]) -> str:
    return f"{metric['value']:.3f}" if metric["name"] == _PERPLEXITY else f"{100 * metric['value']:.2f}"


def _alike(parity: Mapping[str, Any]) -> str:
    """How near a variant is to fp32: the share of equal decisions, or of vectors the mean cosine."""
    if "cosine" in parity:
        return f"{parity['cosine']:.5f}"
    return f"{100 * parity['agreement']:.2f}" if "agreement" in parity else "-"


def measured_on(manifest: Mapping[str, Any]) -> str:
    """What the figures of the table were taken on, in a sentence or two."""
    variants = list(manifest["variants"].values())
    latency, cpu, metric = variants[0]["latency_ms"], manifest["cpu"], variants[0].get("metric")
    of = "probabilities" if manifest["task"] == "text-classification" and metric else "outputs"
    text = f"one text of {latency['tokens']} tokens, tokenizing included"
    if manifest["task"] == "text-generation":
        text = "one token more"
    where = f"one thread of {cpu['model']}{'' if cpu['exact_int8'] else ' without VNNI'}"
    return (
        (f"Metric: on {metric['examples']:,} validation {_EXAMPLES[manifest['task']]}. " if metric else "")
        + f"Difference: the largest one, for float graphs of the outputs from Keras's, else of the {of} from fp32's. "
        + f"Latency: {text}, on {where}."
    )

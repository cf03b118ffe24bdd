"""`kerasllm inspect`: show what is inside a RUN, a BUNDLE or an ONNX file."""

from pathlib import Path
from typing import Any

from ..console import print_json, print_table


def inspect(path: Path, *, json: bool = False) -> None:
    """Show what is inside a RUN, a BUNDLE or an ONNX file.

    That is the interface, the operators, sizes and what was measured. Every file of a bundle is verified.

    Args:
        path: A RUN folder, a BUNDLE folder or an .onnx file.
        json: Print everything as JSON.
    """
    from ..inspection import inspect_path

    result = inspect_path(path)
    if json:
        print_json(result)
    else:
        {"bundle": _print_bundle, "run": _print_run, "onnx": _print_graph}[result["kind"]](str(path), result)


def _print_bundle(title: str, result: dict[str, Any]) -> None:
    from ..export.card import columns, variant_rows

    manifest = result["manifest"]
    facts = {
        "task": manifest["task"],
        **({"labels": ", ".join(manifest["labels"])} if manifest["labels"] else {}),
        "outputs": ", ".join(manifest.get("outputs", ["logits"])),
        **manifest.get("settings", {}),
        "default variant": manifest["default_variant"],
        "activation": manifest["activation"],
        **manifest["preprocessing"],
        "producer": ", ".join(f"{name} {version}" for name, version in manifest.get("producer", {}).items()),
        "measured on": manifest.get("cpu", {}).get("model", "unknown"),
    }
    print_table(f"bundle {title}", ["property", "value"], facts.items())
    print_table("variants", columns(manifest), variant_rows(manifest))
    print_table("files", ["path", "bytes"], [(name, f"{r['bytes']:,}") for name, r in manifest["files"].items()])
    for name, graph in result.get("graphs", {}).items():
        _print_graph(name, graph)


def _print_run(title: str, result: dict[str, Any]) -> None:
    config, metrics = result["config"], result["metrics"] or {}
    facts = {
        "finished": result["finished"],
        "task": config.get("task", "text-classification"),
        **({"labels": ", ".join(config["labels"])} if config["labels"] else {}),
        "source": config["data"].get("source") or ", ".join(config["data"].get("texts", ())),
        **{name: value for name, value in _model(config).items() if value is not None},
        **{name: value for name, value in metrics.items() if isinstance(value, (int, float))},
    }
    print_table(f"run {title}", ["property", "value"], facts.items())
    print_table("files", ["path", "bytes"], [(name, f"{size:,}") for name, size in result["files"].items()])


def _model(config: dict[str, Any]) -> dict[str, Any]:
    """What a run's configuration says of its model: a classifier from scratch, or an encoder and its head."""
    if "encoder" in config:
        return {**config["encoder"], **config.get("head", {})}
    return {name: config["model"].get(name) for name in ("encoder", "embedding_dim", "units")}


def _print_graph(title: str, graph: dict[str, Any]) -> None:
    interface = [
        (f"{way}: {value['name']}", value["type"], " x ".join(map(str, value["shape"])))
        for way, values in (("in", graph["inputs"]), ("out", graph["outputs"]))
        for value in values
    ]
    size = f"{graph['bytes'] / 1e6:.2f} MB, {graph['parameters']:,} parameters"
    print_table(f"{title}: {size}, by {graph['producer'] or 'unknown'}", ["value", "type", "shape"], interface)
    print_table(f"{title}: operators", ["operator", "count"], graph["operators"].items())

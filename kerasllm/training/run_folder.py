"""The RUN folder as a training finds it: made anew, or gone on with if its settings are the same."""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import __version__
from ..atomic import new_folder
from ..extras import require
from ..run import RUN_FORMAT, Run, check_format, to_settings
from ..tasks.task import Task
from ..tokenizing.tokenizer import save_tokenizer

# What config.json says of the machine and of the data, whose fingerprint is compared.
_FOUND = {"format", "producer", "labels", "multi_label", "examples"}
# What a kill may leave of the files that are written beside their place.
_HALF_WRITTEN = (".model.keras.*", ".history.csv.*", ".curves.png.*", ".metrics.json.*", "checkpoints/.epoch-*.npz.*")


def settings_of(task: Task, sections: Mapping[str, Any]) -> dict[str, Any]:
    """The content of config.json."""
    backend = require("train", "keras").backend.backend()
    producer = {name: version(name) for name in ("keras", backend, "tokenizers", "numpy")}
    return {
        "format": RUN_FORMAT,
        "producer": {"kerasllm": __version__, "python": platform.python_version(), **producer},
        "task": task.name,
        "labels": list(task.labels),
        "multi_label": task.multi_label,
        **{name: to_settings(config) for name, config in sections.items()},
        "examples": dict(task.examples),
        "fingerprint": task.fingerprint,
    }


def start_run(out: Path, settings: dict[str, Any], task: Task, overwrite: bool) -> Run:
    """A new RUN folder with its configuration and its tokenizer: both are there, or no folder at all."""
    with new_folder(out, overwrite=overwrite) as folder:
        save_tokenizer(task.tokenizer, folder / "tokenizer.json")
        (folder / "config.json").write_text(json.dumps(settings, ensure_ascii=False, indent=2), encoding="utf-8")
    return Run(out)


def continue_run(run: Run, settings: dict[str, Any]) -> Run:
    """The run that is there, if it was started with these settings."""
    before = check_format(run).config
    for section in (name for name in settings if name not in _FOUND):
        old, new = before.get(section), settings[section]
        if old == new:
            continue
        if section == "fingerprint":
            raise ValueError(
                f"A run can only go on with the same data. Received: {run.path}, whose data changed since."
            )
        name, here, there = _first_difference(section, new, old)
        raise ValueError(
            f"A run can only go on with the settings that it was started with. Received: {name} = {here}, "
            f"where {run.path} has {there}. Name that value, or another --out."
        )
    for pattern in _HALF_WRITTEN:
        for path in run.path.glob(pattern):
            path.unlink()
    return run


def _first_difference(name: str, new: Any, old: Any) -> tuple[str, Any, Any]:
    """The dotted name of the first setting that differs, and both its values."""
    if not isinstance(new, dict):
        return name, new, old
    old = old or {}
    differs = next((key for key in new if old.get(key) != new[key]), None)
    return (
        (name, new, old) if differs is None else _first_difference(f"{name}.{differs}", new[differs], old.get(differs))
    )

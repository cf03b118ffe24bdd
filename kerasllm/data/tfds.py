"""Sources `tfds:NAME/CONFIG`: data sets that tensorflow-datasets has prepared; nothing is ever downloaded here."""

import os
from pathlib import Path
from typing import Any

from ..extras import require
from .files import Table, find_splits


def read_tfds(name: str, folder: Path | None = None) -> dict[str, Table]:
    """Reads a prepared data set, offline.

    Args:
        name: NAME, NAME/CONFIG or NAME/CONFIG:VERSION.
        folder: Where prepared data sets lie; by default $TFDS_DATA_DIR, else tensorflow-datasets' own folder.

    Returns:
        A table a split; beside a column of classes C, their names in C_name.

    Raises:
        FileNotFoundError: It isn't prepared there; the message says how to.
    """
    tfds = require("train", "tensorflow_datasets")
    where = str(folder or os.environ.get("TFDS_DATA_DIR") or tfds.core.constants.DATA_DIR)
    try:
        builder = tfds.builder(name, data_dir=where, try_gcs=False)
        prepared = builder.info.splits
    except (tfds.core.DatasetNotFoundError, AssertionError, ValueError, OSError) as error:
        raise _missing(name, where) from error
    found = find_splits(prepared)
    if not found:
        raise _missing(name, where)
    return {split: _columns(tfds, builder, names[0]) for split, names in found.items()}


def _columns(tfds: Any, builder: Any, split: str) -> Table:
    """The split's features as columns, bytes as strings."""
    features = builder.info.features
    table: Table = {name: [] for name in features}
    for example in tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)):
        for name, value in example.items():
            table[name].append(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
    names = {
        f"{column}_name": [_class_name(classes, value) for value in table[column]]
        for column, feature in features.items()
        if isinstance(classes := getattr(feature, "feature", feature), tfds.features.ClassLabel)
    }
    return {**names, **table}


def _class_name(classes: Any, value: Any) -> Any:
    """The name of a class number, or of each in an array; none for -1, which stands for no label."""
    if getattr(value, "ndim", 0):
        return [_class_name(classes, number) for number in value]
    return classes.int2str(int(value)) if value >= 0 else None


def _missing(name: str, where: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"A tfds: source must be prepared already. Received: {name!r}, which is not in {where}. "
        f"On a connected machine run `tfds build {name} --data_dir DIR`, "
        f"copy DIR here, and set TFDS_DATA_DIR to the copy (or --tfds-folder)."
    )

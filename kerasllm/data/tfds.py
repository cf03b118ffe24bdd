"""Sources `tfds:NAME/CONFIG`: data sets that tensorflow-datasets has prepared; nothing is ever downloaded here."""

import os
from pathlib import Path
from typing import Any

from ..extras import require
from .files import Table, find_splits


def read_tfds(name: str, folder: Path | None = None) -> tuple[dict[str, Table], dict[str, str]]:
    """Reads a prepared data set, offline.

    Args:
        name: NAME, NAME/CONFIG or NAME/CONFIG:VERSION.
        folder: Where prepared data sets lie; by default $TFDS_DATA_DIR, else tensorflow-datasets' own folder.

    Returns:
        A table a split, and what a class number is called, where the data set says so.

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
    tables = {split: _columns(tfds, builder, names[0]) for split, names in found.items()}
    return tables, _class_names(tfds, builder.info.features)


def _columns(tfds: Any, builder: Any, split: str) -> Table:
    """The split's flat features as columns: bytes become strings."""
    flat = [name for name, feature in builder.info.features.items() if not isinstance(feature, dict)]
    table: Table = {name: [] for name in flat}
    for example in tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False)):
        for name in flat:
            value = example[name]
            table[name].append(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
    return table


def _class_names(tfds: Any, features: Any) -> dict[str, str]:
    """The names of the one feature that is a class (or a sequence of them)."""
    for feature in features.values():
        feature = getattr(feature, "feature", feature)
        if isinstance(feature, tfds.features.ClassLabel):
            return {str(number): name for number, name in enumerate(feature.names)}
    return {}


def _missing(name: str, where: str) -> FileNotFoundError:
    return FileNotFoundError(
        f"A tfds: source must be prepared already. Received: {name!r}, which is not in {where}. "
        f"On a connected machine run `tfds build {name} --data_dir DIR`, "
        f"copy DIR here, and set TFDS_DATA_DIR to the copy (or --tfds-folder)."
    )

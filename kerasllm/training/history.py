"""The history of a training: a row an epoch, shown, written down, and asked which epoch was best."""

import csv
from collections.abc import Sequence
from pathlib import Path

from ..atomic import replace_file
from ..console import console
from ..extras import require

# "epoch" (from 1), "train_loss", "validation_loss", the task's score on the validation split such as
# "validation_accuracy", "learning_rate" (at the epoch's end), "tokens_per_second" (of training, padding not counted),
# and where it is known "flop_utilisation" (share of what matrix products reach on the device, 0 to 1).
Row = dict[str, float]


def score_column(row: Row) -> str:
    """The column that says which epoch is best, the higher the better."""
    return next(name for name in row if name.startswith("validation_") and name != "validation_loss")


def best_epoch(history: Sequence[Row]) -> int:
    """The epoch, from 1, with the highest validation score; among equals that with the lowest validation loss."""
    column = score_column(history[0])
    return max(range(len(history)), key=lambda row: (history[row][column], -history[row]["validation_loss"])) + 1


def show_row(row: Row) -> None:
    """Prints the row, below the columns' names if it is the first."""
    names = [name.replace("_", " ").replace("validation", "val.").replace("per second", "/ s") for name in row]
    if row["epoch"] == 1:
        console.print("  ".join(names), style="bold")
    cells = [f"{value:,}" if isinstance(value, int) else f"{value:.4g}" for value in row.values()]
    line = "  ".join(f"{cell:>{len(name)}}" for name, cell in zip(names, cells, strict=True))
    console.print(line, highlight=False)


def write_history(path: Path, history: Sequence[Row]) -> None:
    """Writes the rows as CSV, whole or not at all."""
    with replace_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)


def read_history(path: Path) -> list[Row]:
    """The rows of a `write_history`."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def log_row(folder: Path, row: Row) -> None:
    """Appends the row to a TensorBoard log, with TensorFlow alone."""
    tf = require("train", "tensorflow")
    scalar = tf.compat.v1.SummaryMetadata()
    scalar.plugin_data.plugin_name = "scalars"
    with tf.summary.create_file_writer(str(folder)).as_default():
        for name, value in row.items():
            tf.summary.write(name, tf.constant(value, tf.float32), step=int(row["epoch"]), metadata=scalar)

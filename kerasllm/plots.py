"""Pictures of a training and of a model's answers, as PNG files.

Matplotlib's own objects, none of pyplot's global state: no window, and threads may draw.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .atomic import replace_file
from .extras import require
from .metrics.classification import reliability

_BLUE, _ORANGE, _GREY = "#1f6fb4", "#d8622a", "#8a8f98"
_MOST_NAMES = 40  # classes whose names and counts can still be read in a confusion matrix
_DPI = 150


def save_curves(path: Path, history: Sequence[dict[str, float]], metric: str) -> None:
    """Draws losses and the validation metric over the epochs; a dotted line marks the best epoch.

    Args:
        path: The PNG file.
        history: A row an epoch with "epoch", "train_loss", "validation_loss" and `metric`, at least one.
        metric: The row's key of the metric, from 0 to 1.
    """
    figure = _figure(9, 3.6)
    losses, scores = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    style: dict[str, Any] = {"marker": "o", "markersize": 4, "linewidth": 1.8}
    losses.plot(epochs, [row["train_loss"] for row in history], color=_GREY, label="training", **style)
    losses.plot(epochs, [row["validation_loss"] for row in history], color=_BLUE, label="validation", **style)
    losses.set(title="Loss", ylabel="cross-entropy in nats")
    losses.legend(frameon=False)
    values = [row[metric] for row in history]
    best = int(np.argmax(values))
    scores.plot(epochs, values, color=_BLUE, **style)
    scores.plot(epochs[best], values[best], "o", color=_ORANGE, markersize=8)
    name = metric.removeprefix("validation_").replace("_", " ")
    scores.set(title=f"Validation {name}\nbest {values[best]:.1%} in epoch {epochs[best]}")
    scores.yaxis.set_major_formatter(lambda value, _: f"{value:.1%}")
    for axes in (losses, scores):
        axes.axvline(epochs[best], color=_ORANGE, linewidth=1, linestyle=":")
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        _plain(axes)
    _save(figure, path)


def save_confusion(path: Path, confusion: Sequence[Sequence[int]], names: Sequence[str]) -> None:
    """Draws a confusion matrix: colour is the share of the true class, numbers are examples.

    Args:
        path: The PNG file.
        confusion: Counts [true][predicted].
        names: The classes' names.
    """
    counts = np.asarray(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named = len(names) <= _MOST_NAMES
    side = 2.6 + 0.55 * min(len(names), 20)
    figure = _figure(side + 0.8, side)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.046, pad=0.04, format=lambda value, _: f"{value:.0%}")
    axes.set(xlabel="predicted", ylabel="true", title=f"{np.trace(counts):,} of {counts.sum():,} right")
    places = range(len(names)) if named else []
    slant = {"rotation": 45, "ha": "right"} if len(names) > 3 and max(map(len, names)) > 4 else {}
    axes.set_xticks(places, [_short(names[place]) for place in places], **slant)
    axes.set_yticks(places, [_short(names[place]) for place in places])
    for true in places if named else []:
        for predicted in places:
            color = "white" if shares[true, predicted] > 0.5 else "#20242b"
            size = 10 if len(names) <= 12 else 6
            axes.text(predicted, true, f"{counts[true, predicted]:,}", ha="center", va="center", color=color, size=size)
    axes.tick_params(length=0)
    _save(figure, path)


def save_reliability(path: Path, labels: np.ndarray, probabilities: np.ndarray) -> None:
    """Draws a reliability diagram: how often the model is right, by how sure it says it is.

    Args:
        path: The PNG file.
        labels: int64 [examples], or float32 0/1 [examples, classes] if multi-label.
        probabilities: float32 [examples, classes].
    """
    share, confidence, accuracy = reliability(labels, probabilities)
    error = float((share * np.abs(confidence - accuracy)).sum())
    used, width = share > 0, 1 / len(share)
    centers = (np.arange(len(share)) + 0.5) * width
    figure = _figure(4.8, 5.2)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    top.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
    top.bar(centers[used], accuracy[used], width * 0.92, color=_BLUE, alpha=0.35)
    top.plot(confidence[used], accuracy[used], "o-", color=_BLUE, markersize=4, label="this model")
    top.set(title=f"Calibration error {error:.1%}", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    top.legend(frameon=False, loc="upper left")
    bottom.bar(centers, share, width * 0.92, color=_GREY)
    bottom.set(xlabel="confidence", ylabel="predictions")
    for axes in (top, bottom):
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        _plain(axes)
    bottom.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    _save(figure, path)


def _figure(width: float, height: float) -> Any:
    """An empty figure, in inches."""
    return require("train", "matplotlib.figure").Figure((width, height), layout="constrained")


def _plain(axes: Any) -> None:
    """Fewer lines: no frame at the top and right, a faint grid behind."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e5e8", linewidth=0.8)
    axes.set_axisbelow(True)


def _short(name: str) -> str:
    """A class name as a tick label; `$` would start a formula."""
    return (name if len(name) <= 24 else f"{name[:23]}…").replace("$", r"\$")


def _save(figure: Any, path: Path) -> None:
    with replace_file(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, format="png")

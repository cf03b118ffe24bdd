import sys

import numpy as np
import pytest

from kerasllm.plots import save_confusion, save_curves, save_reliability

HISTORY = [
    {"epoch": epoch, "train_loss": 1 / epoch, "validation_loss": 0.6 + 0.02 * epoch, "validation_accuracy": 0.7}
    for epoch in range(1, 5)
]


def pixels(path):
    from matplotlib.image import imread

    image = imread(path)
    assert image.shape[0] > 300
    assert image.std() > 0.02  # something is drawn
    return image


@pytest.mark.parametrize("epochs", [1, 4])
def test_curves(epochs, tmp_path):
    save_curves(tmp_path / "curves.png", HISTORY[:epochs], "validation_accuracy")
    pixels(tmp_path / "curves.png")


@pytest.mark.parametrize("classes", [2, 15, 60])
def test_confusion(classes, tmp_path):
    counts = np.random.default_rng(0).integers(0, 9, (classes, classes))
    save_confusion(tmp_path / "confusion.png", counts.tolist(), [f"class $ {index}" for index in range(classes)])
    pixels(tmp_path / "confusion.png")


def test_confusion_shows_what_is_confused(tmp_path):
    for name, counts in (("right", [[9, 0], [0, 9]]), ("wrong", [[0, 9], [9, 0]])):
        save_confusion(tmp_path / f"{name}.png", counts, ["a", "b"])
    assert np.abs(pixels(tmp_path / "right.png") - pixels(tmp_path / "wrong.png")).max() > 0.5


@pytest.mark.parametrize("multi_label", [False, True])
def test_reliability(multi_label, tmp_path):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet((1, 1, 1), 50).astype("float32")
    labels = random.integers(0, 2, (50, 3)).astype("float32") if multi_label else random.integers(0, 3, 50)
    save_reliability(tmp_path / "reliability.png", labels, probabilities)
    pixels(tmp_path / "reliability.png")


def test_no_global_state_of_pyplot_is_touched(tmp_path):
    had_it = "matplotlib.pyplot" in sys.modules
    save_curves(tmp_path / "curves.png", HISTORY, "validation_accuracy")
    assert had_it or "matplotlib.pyplot" not in sys.modules

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.metrics.classification import (
    activate,
    calibration_error,
    classification_metrics,
    cross_entropy,
    headline,
    reliability,
)

NAMES = ("cat", "dog", "owl")
LABELS = np.array([0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1], [0.1, 0.9, 0.0], [0.1, 0.8, 0.1]], "float32"
)


def test_scores_of_five_animals_counted_by_hand():
    metrics = classification_metrics(LABELS, PROBABILITIES, NAMES)
    assert metrics["accuracy"] == metrics["micro"]["f1"] == pytest.approx(3 / 5)
    assert metrics["confusion"] == [[1, 1, 0], [0, 2, 0], [0, 1, 0]]
    assert metrics["per_class"]["dog"] == {
        "precision": pytest.approx(2 / 4),
        "recall": 1.0,
        "f1": pytest.approx(2 / 3),
        "examples": 2,
    }
    assert metrics["per_class"]["owl"]["f1"] == 0.0  # never predicted: zero, no warning
    assert metrics["macro"]["f1"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert metrics["loss"] == pytest.approx(-np.log([0.8, 0.3, 0.7, 0.9, 0.1]).mean())
    assert headline(metrics, multi_label=False) == metrics["accuracy"]
    json.dumps(metrics)


def test_multi_label_scores_counted_by_hand():
    labels = np.array([[1, 0], [1, 1], [0, 0]], "float32")
    probabilities = np.array([[0.9, 0.6], [0.8, 0.7], [0.1, 0.2]], "float32")
    metrics = classification_metrics(labels, probabilities, ("a", "b"), multi_label=True)
    assert metrics["accuracy"] == pytest.approx(2 / 3)  # the first example has one label too many
    assert metrics["micro"]["precision"] == pytest.approx(3 / 4)
    assert metrics["micro"]["recall"] == 1.0
    assert metrics["confusion"][1] == [[1, 1], [0, 1]]
    assert headline(metrics, multi_label=True) == metrics["micro"]["f1"]
    assert metrics["loss"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.7, 0.9, 0.8]).mean(), rel=1e-5)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    sure = np.tile(np.array([[0.9, 0.1]], "float32"), (10, 1))
    assert calibration_error(np.array([0] * 9 + [1]), sure) == pytest.approx(0, abs=1e-6)
    assert calibration_error(np.array([0] * 5 + [1] * 5), sure) == pytest.approx(0.4, abs=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), examples=st.integers(1, 40), classes=st.integers(2, 4), multi=st.booleans())
def test_calibration_agrees_with_a_plain_loop(seed, examples, classes, multi):
    random = np.random.default_rng(seed)
    probabilities = activate(random.normal(0, 3, (examples, classes)), multi)
    labels = (
        random.integers(0, 2, (examples, classes)).astype("float32") if multi else random.integers(0, classes, examples)
    )
    pairs = []
    for row, truth in zip(probabilities, labels, strict=True):
        if multi:
            pairs += [(max(p, 1 - p), (p >= 0.5) == (t > 0)) for p, t in zip(row, truth, strict=True)]
        else:
            pairs.append((row.max(), row.argmax() == truth))
    expected = 0.0
    for index in range(15):
        inside = [pair for pair in pairs if min(int(pair[0] * 15), 14) == index]
        if inside:
            gap = abs(np.mean([float(p) for p, _ in inside]) - np.mean([float(ok) for _, ok in inside]))
            expected += len(inside) / len(pairs) * gap
    assert calibration_error(labels, probabilities) == pytest.approx(expected, abs=1e-5)
    assert reliability(labels, probabilities)[0].sum() == pytest.approx(1)


def test_activations_are_probabilities_and_never_overflow():
    wild = np.array([[1000.0, -1000.0, 0.0]])
    np.testing.assert_allclose(activate(wild, False), [[1, 0, 0]])
    np.testing.assert_allclose(activate(wild, True), [[1, 0, 0.5]])
    assert np.isfinite(cross_entropy(np.array([1]), activate(wild, False)))


def test_an_empty_split_is_refused():
    with pytest.raises(ValueError, match="at least one example"):
        classification_metrics(np.empty(0, "int64"), np.empty((0, 3), "float32"), NAMES)

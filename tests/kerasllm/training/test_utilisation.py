"""The share of the arithmetic is one of the best that was ever seen, so never above 1."""

import pytest

from kerasllm.training import utilisation as module
from kerasllm.training.utilisation import product_flops, utilisation


@pytest.fixture(autouse=True)
def nothing_measured_yet(monkeypatch):
    monkeypatch.setattr(module, "_best", {})


def measured(monkeypatch, *rates):
    rates = iter(rates)
    monkeypatch.setattr(module, "product_flops", lambda dtype: next(rates))


def test_a_slow_moment_does_not_lower_the_whole(monkeypatch):
    measured(monkeypatch, 100.0, 20.0, 200.0)
    assert [utilisation(50.0, "float32") for _ in range(3)] == [0.5, 0.5, 0.25]


def test_a_training_that_is_faster_than_products_is_the_whole_from_then_on(monkeypatch, capsys):
    measured(monkeypatch, 100.0, 100.0)
    assert utilisation(160.0, "float32") == 1
    assert "faster than the matrix products" in capsys.readouterr().err
    assert utilisation(80.0, "float32") == 0.5


def test_devices_add_up_and_types_are_measured_apart(monkeypatch):
    measured(monkeypatch, 100.0, 400.0)
    assert utilisation(100.0, "float32", 2) == 0.5
    assert utilisation(100.0, "bfloat16") == 0.25


def test_products_are_counted_in_full():
    rate = product_flops("float32")
    assert 1e8 < rate < 1e16
    assert module._size("float32") >= 512

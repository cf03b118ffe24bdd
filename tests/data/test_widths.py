"""Widths of batches: tight, or few."""

import keras
import pytest

from kerasllm.data.widths import few_width, padded_width


def test_few_widths_are_few_and_waste_little():
    found = [few_width(longest) for longest in range(1, 513)]
    assert sorted(set(found)) == [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]
    assert all(width >= longest for longest, width in enumerate(found, start=1))
    assert all(width <= longest * 1.5 for longest, width in enumerate(found, start=1) if longest >= 16)


@pytest.mark.parametrize(("backend", "expected"), [("tensorflow", 33), ("torch", 33), ("jax", 48)])
def test_only_what_compiles_every_shape_gets_few(monkeypatch, backend, expected):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    assert padded_width(33, 100, None) == expected
    assert padded_width(33, 40, None) == min(expected, 40)  # no model need read more than the longest row
    assert padded_width(33, 34, 8) == 40
    assert padded_width(0, 0, None) == 1

"""Which precision is computed in, and what is said of it."""

import keras
import pytest

from kerasllm.training import precision as module
from kerasllm.training.devices import Gpu
from kerasllm.training.precision import half_precision, precision, precision_note


def given(monkeypatch, *capabilities, tpu=False):
    monkeypatch.setattr(module, "gpus", lambda: [Gpu("a GPU", capability) for capability in capabilities])
    monkeypatch.setattr(module, "on_tpu", lambda: tpu)
    monkeypatch.setattr(module, "rounds_float32", lambda: True)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([], None),
        ([(6, 1)], None),
        ([(7, 0)], "float16"),
        ([(8, 0)], "bfloat16"),
        ([(12, 0)], "bfloat16"),
        ([(9, 0), (7, 5)], "float16"),
        ([(0, 0)], None),
    ],
)
def test_what_every_gpu_has(monkeypatch, capabilities, expected):
    given(monkeypatch, *capabilities)
    assert half_precision() == expected


def test_a_tpu_has_bfloat16(monkeypatch):
    given(monkeypatch, tpu=True)
    assert half_precision() == "bfloat16"


def test_only_layers_made_inside_compute_in_it():
    with precision("bfloat16"):
        inside = keras.layers.Dense(1)
    outside = keras.layers.Dense(1)
    assert (inside.compute_dtype, inside.variable_dtype) == ("bfloat16", "float32")
    assert outside.compute_dtype == "float32"
    with precision(None):
        assert keras.layers.Dense(1).compute_dtype == "float32"


def test_what_is_said(monkeypatch):
    given(monkeypatch)
    assert precision_note(mixed=False, half=None) is None
    assert precision_note(mixed=True, half=None) == "Mixed precision changes nothing on a CPU: float32."
    given(monkeypatch, (7, 0))
    assert "float16 (gradients scaled) on a GPU" in precision_note(mixed=True, half="float16")
    given(monkeypatch, (9, 0))
    assert precision_note(mixed=False, half=None) == "Computes in float32, products rounded to TF32, on a GPU."

"""What is asked of devices; those of this machine are CPUs, so others are made up."""

import sys
import types

import keras
import pytest
import tensorflow as tf

from kerasllm.training.devices import Gpu, gpus, rounds_float32, strategy


def test_one_device_needs_no_strategy():
    assert strategy() is tf.distribute.get_strategy()


def test_there_is_no_gpu_here():
    assert gpus() == []
    assert not rounds_float32()


@pytest.mark.parametrize(("said", "expected"), [("9.0", (9, 0)), ("gfx90a", (0, 0)), ("", (0, 0))])
def test_jax_names_its_gpus(monkeypatch, said, expected):
    device = types.SimpleNamespace(platform="gpu", device_kind="a GPU", compute_capability=said)
    fake = types.SimpleNamespace(devices=lambda: [device], default_backend=lambda: "gpu")
    monkeypatch.setitem(sys.modules, "jax", fake)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert gpus() == [Gpu("a GPU", expected)]


def test_torch_names_its_gpus(monkeypatch):
    cuda = types.SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 2,
        get_device_name=lambda at: f"GPU {at}",
        get_device_capability=lambda at: (8, at),
    )
    fake = types.SimpleNamespace(cuda=cuda, get_float32_matmul_precision=lambda: "highest")
    monkeypatch.setitem(sys.modules, "torch", fake)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    assert gpus() == [Gpu("GPU 0", (8, 0)), Gpu("GPU 1", (8, 1))]
    assert not rounds_float32()

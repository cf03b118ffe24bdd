"""What a bundle costs, measured in processes that do nothing else."""

import sys

import pytest

from kerasllm.serving import footprint
from kerasllm.serving.footprint import installed, measure_footprint, serving_requirements

from .generation.tiny_decoder import Sizes, make_weights, write_decoder
from .handmade import write_bundle


@pytest.fixture(autouse=True)
def once(monkeypatch):
    monkeypatch.setattr(footprint, "_REPEATS", 1)


def test_a_classifier_is_measured(tmp_path):
    found = measure_footprint(write_bundle(tmp_path / "bundle"), "fp32")
    assert 0 < found["first_answer_s"] < 60
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p95"]
    assert 10 < found["peak_mb"] < 2000
    assert {"onnxruntime", "tokenizers", "numpy", "kerasllm"} <= set(found["loaded"])
    assert "tensorflow" not in found["loaded"]
    assert found["loaded"]["onnxruntime"] > 10**6


def test_a_decoder_is_measured(tmp_path):
    sizes = Sizes()
    bundle = write_decoder(tmp_path / "bundle", make_weights(sizes), sizes)
    assert measure_footprint(bundle, "fp32")["first_answer_s"] > 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such limit")
def test_too_little_memory_is_said(tmp_path):
    with pytest.raises(RuntimeError, match="fp32 gives no answer within 5 MB"):
        measure_footprint(write_bundle(tmp_path / "bundle"), "fp32", memory=5)


def test_what_serving_installs():
    sizes = installed(serving_requirements())
    assert {"onnxruntime", "tokenizers", "numpy"} <= set(sizes)
    assert not {"tensorflow", "keras", "fastapi"} & set(sizes)
    assert sizes["onnxruntime"] > 10**7
    bare = installed(serving_requirements(), compiled=False)
    assert bare.keys() == sizes.keys()
    assert all(bare[name] <= sizes[name] for name in sizes)
    assert installed(["no-such-package-at-all"]) == {}

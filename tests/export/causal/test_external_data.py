"""A decoder whose weights lie beside its graphs is the decoder whose weights lie in them."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest

from kerasllm.export import ExportError, ort_format
from kerasllm.inspection import inspect_path
from kerasllm.serving import BundleError, load
from kerasllm.serving.bundle import open_bundle
from tests.export.causal.decoders import small
from tests.export.causal.test_bundle import export

VARIANTS = ("fp32", "int8", "int4", "fp16", "portable")
FILES = ("model", "model_quantized", "model_q4", "model_fp16", "model_std")
PROMPT = [5, 9, 11]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """The same decoder with its weights in the graphs, and beside them."""
    root, model = tmp_path_factory.mktemp("decoders"), small("llama", layers=3)
    for name, options in (("inside", {}), ("beside", {"inline_limit": 10_000})):
        export(model, root / name, variants=VARIANTS, **options)
    return root / "inside", root / "beside"


def test_every_variant_has_its_weights_in_one_file_and_all_are_listed(bundles):
    inside, beside = (open_bundle(folder) for folder in bundles)
    beside.verify()
    assert set(beside.manifest.files) - set(inside.manifest.files) == {f"onnx/{name}.onnx_data" for name in FILES}
    for name, record in beside.manifest.variants.items():
        sizes = [(bundles[1] / file).stat().st_size for file in beside.manifest.variant_files(name)]
        assert len(sizes) == 2
        assert record["bytes"] == sum(sizes)
        assert sizes[0] < inside.manifest.variants[name]["bytes"]


@pytest.mark.parametrize("variant", ["fp32", "int8", "int4", "fp16"])
def test_the_same_greedy_tokens(bundles, variant):
    inside, beside = (load(folder, variant=variant).generate(PROMPT, max_new_tokens=20) for folder in bundles)
    assert inside.token_ids == beside.token_ids


@pytest.mark.parametrize("name", FILES)
def test_onnxruntime_opens_it_by_its_path(bundles, name):
    feeds = {
        "input_ids": np.array([PROMPT]),
        "attention_mask": np.ones((1, 3), np.int64),
        "position_ids": np.arange(3)[None],
    }
    answers = []
    for folder in bundles:
        session = onnxruntime.InferenceSession(folder / f"onnx/{name}.onnx", providers=["CPUExecutionProvider"])
        dtype = np.float16 if name == "model_fp16" else np.float32
        pasts = {node.name: np.zeros((1, 2, 0, 16), dtype) for node in session.get_inputs() if "past" in node.name}
        answers.append(session.run(["logits"], feeds | pasts)[0])
    np.testing.assert_allclose(*answers, rtol=1e-5, atol=1e-5)


def test_a_changed_weight_is_refused(bundles, tmp_path):
    folder = shutil.copytree(bundles[1], tmp_path / "bundle")
    with (folder / "onnx/model_quantized.onnx_data").open("r+b") as file:
        file.write(b"\1")
    with pytest.raises(BundleError, match=r"model_quantized\.onnx_data is not the file that was exported"):
        load(folder, variant="int8")


def test_inspection_and_card_count_both_files(bundles):
    graphs, (_, variants) = inspect_path(bundles[1])["graphs"], (inspect_path(folder) for folder in bundles)
    inside = inspect_path(bundles[0])["graphs"]
    card = (bundles[1] / "README.md").read_text()
    for name, record in variants["manifest"]["variants"].items():
        assert graphs[name]["bytes"] == record["bytes"]
        assert graphs[name]["parameters"] == inside[name]["parameters"]
        assert f"| {name} | {record['bytes'] / 1e6:.2f} |" in card


def test_transformers_js_is_told(bundles):
    inside, beside = (json.loads((folder / "config.json").read_text()) for folder in bundles)
    assert "transformers.js_config" not in inside
    told = beside["transformers.js_config"]["use_external_data_format"]
    assert told == {f"{name}.onnx": True for name in FILES}


def test_without_fp32_nothing_of_it_is_left(tmp_path):
    out = tmp_path / "bundle"
    export(small("gpt2"), out, variants=("int8",), inline_limit=10_000, max_length=None)
    assert {path.name for path in (out / "onnx").iterdir()} == {"model_quantized.onnx", "model_quantized.onnx_data"}
    told = json.loads((out / "config.json").read_text())["transformers.js_config"]["use_external_data_format"]
    assert told == {"model_quantized.onnx": True}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # onnxruntime's converter
def test_ort_files_hold_their_weights_and_have_a_limit(tmp_path, monkeypatch):
    options = {"variants": ("fp32",), "inline_limit": 10_000, "ort_format": True}
    export(small("llama"), tmp_path / "bundle", **options)
    files = open_bundle(tmp_path / "bundle").manifest.files
    assert files["onnx/model.ort"].bytes > 0.9 * files["onnx/model.onnx_data"].bytes
    monkeypatch.setattr(ort_format, "_LARGEST", 10_000)
    with pytest.raises(ExportError, match=r"less than 2 GiB\. Received: 0\.0 GB for onnx/model\.onnx"):
        export(small("llama"), tmp_path / "other", **options)

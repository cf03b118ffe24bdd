"""Graphs in ONNX Runtime's own format: they answer as the others, and the operators are those in them."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from kerasllm.export import export_bundle
from kerasllm.export.errors import ExportError
from kerasllm.export.ort_format import OPERATORS, _compare, _merged
from kerasllm.serving import load
from kerasllm.serving.bundle import open_bundle
from tests.export.causal.decoders import CONTEXT, small
from tests.export.causal.test_bundle import tokenizer as letters

# onnxruntime's converter does not close the files that it reads.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


def test_every_variant_has_its_file_and_the_bundle_serves(model, tokenizer, tmp_path):
    out = tmp_path / "bundle"
    export_bundle(model, out, tokenizer=tokenizer, labels=["bad", "good"], ort_format=True)
    files = open_bundle(out).manifest.files
    assert {"onnx/model.ort", "onnx/model_quantized.ort", OPERATORS} <= set(files)
    lines = (out / OPERATORS).read_text().splitlines()
    domains = {line.split(";")[0] for line in lines}
    assert "ai.onnx" in domains
    assert load(out)("good film")
    session = onnxruntime.InferenceSession(out / "onnx" / "model.ort")
    ids = np.array([[2, 3, 4]])
    (logits,) = session.run(
        None, {node.name: {"input_ids": ids}.get(node.name, np.ones_like(ids)) for node in session.get_inputs()}
    )
    plain = onnxruntime.InferenceSession(out / "onnx" / "model.onnx")
    (expected,) = plain.run(
        None, {node.name: {"input_ids": ids}.get(node.name, np.ones_like(ids)) for node in plain.get_inputs()}
    )
    np.testing.assert_allclose(logits, expected, atol=1e-6)


def test_a_decoder_has_them_too(tmp_path):
    out = tmp_path / "bundle"
    export_bundle(
        small("llama"), out, tokenizer=letters(), task="text-generation", variants=("fp32", "int8"),
        max_length=CONTEXT, ort_format=True,
    )  # fmt: skip
    assert (out / "onnx" / "model.ort").exists()
    assert "GroupQueryAttention" in (out / OPERATORS).read_text()
    assert "onnx/model.ort" in json.loads((out / "kerasllm.json").read_text())["files"]


def test_operators_of_several_graphs_are_merged():
    lines = {"ai.onnx;17;Gemm,Add", "ai.onnx;17;Add,Tanh", "com.microsoft;1;FusedMatMul"}
    assert _merged(lines) == ["ai.onnx;17;Add,Gemm,Tanh", "com.microsoft;1;FusedMatMul"]


def test_a_conversion_that_changes_values_is_refused(tmp_path):
    paths = []
    for value in (1.0, 1.1):
        node = onnx.helper.make_node("Add", ["x", "one"], ["y"])
        one = onnx.numpy_helper.from_array(np.array(value, np.float32), "one")
        kinds = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 2]) for name in "xy"]
        graph = onnx.helper.make_graph([node], "g", kinds[:1], kinds[1:], [one])
        paths.append(tmp_path / f"{value}.onnx")
        onnx.save(
            onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), paths[-1]
        )
    _compare(paths[0], paths[0])
    with pytest.raises(ExportError, match=r"must give what 1\.0\.onnx gives"):
        _compare(*paths)

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from kerasllm.export.graph import Graph
from kerasllm.export.graph_file import announce_data, remove_graph, write_graph
from kerasllm.export.quantization.coverage import initializer_bytes
from tests.export.graphs import float_input, model_of, run
from tests.export.parity import numbers

FILE, DATA = "onnx/model.onnx", "onnx/model.onnx_data"
X = numbers(3, 16)


@pytest.fixture
def model():
    """x [., 16] times two weights of 32 KB, plus a small bias that fits no page."""
    graph = Graph(portable=False)
    y = graph.op("MatMul", float_input(graph, "rows", 16), graph.weight("first", numbers(16, 513, seed=1)))
    y = graph.op("MatMul", y, graph.weight("second", numbers(513, 16, seed=2)))
    return model_of(graph, graph.op("Add", y, graph.weight("bias", numbers(16, seed=3))))


def external(folder) -> list[dict[str, str]]:
    tensors = onnx.load(folder / FILE, load_external_data=False).graph.initializer
    return [{entry.key: entry.value for entry in tensor.external_data} for tensor in tensors]


def test_the_graph_computes_the_same_wherever_its_weights_lie(model, tmp_path):
    (expected,) = run(model, X)
    for folder, limit in ((tmp_path / "inside", 10**6), (tmp_path / "beside", 100)):
        write_graph(model, folder, FILE, limit)
        session = onnxruntime.InferenceSession(folder / FILE, providers=["CPUExecutionProvider"])
        np.testing.assert_allclose(session.run(None, {"x": X})[0], expected, rtol=1e-5)
        np.testing.assert_array_equal(run(model, X)[0], expected)  # the model is as it was


def test_the_limit_counts_bytes_of_weights(model, tmp_path):
    size = initializer_bytes(model.graph)
    write_graph(model, tmp_path, FILE, size)
    assert not (tmp_path / DATA).exists()
    write_graph(model, tmp_path, FILE, size - 1)
    assert (tmp_path / DATA).exists()


def test_large_weights_begin_at_a_page_and_small_ones_stay(model, tmp_path):
    write_graph(model, tmp_path, FILE, 100)
    first, bias, second = sorted(external(tmp_path), key=lambda each: int(each.get("offset", 1)))
    assert bias == {}
    assert {first["location"], second["location"]} == {"model.onnx_data"}
    assert [int(each["offset"]) % 4096 for each in (first, second)] == [0, 0]
    assert int(second["offset"]) > int(first["length"]) == 16 * 513 * 4
    assert (tmp_path / FILE).stat().st_size < 2000 < (tmp_path / DATA).stat().st_size


def test_both_files_are_removed(model, tmp_path):
    for limit in (100, 10**6):
        write_graph(model, tmp_path, FILE, limit)
        remove_graph(tmp_path, FILE)
        assert not list((tmp_path / "onnx").iterdir())


def test_transformers_js_is_told_of_what_lies_beside(model, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    write_graph(model, tmp_path, "onnx/model_q4.onnx", 10**6)
    announce_data(tmp_path, ["onnx/model_q4.onnx"])
    assert json.loads((tmp_path / "config.json").read_text()) == {"model_type": "gpt2"}
    write_graph(model, tmp_path, FILE, 100)
    announce_data(tmp_path, [FILE, "onnx/model_q4.onnx"])
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "model_type": "gpt2",
        "transformers.js_config": {"use_external_data_format": {"model.onnx": True}},
    }

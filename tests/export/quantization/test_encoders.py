"""int8 encoders: every product computes in int8, tied tables are stored once, and standard operators do as well."""

import keras
import numpy as np
import onnx_ir as ir
import pytest
from keras_hub import layers, models

from kerasllm.export.compiler import lower_model
from kerasllm.export.graph import Graph
from kerasllm.export.passes import optimise
from kerasllm.export.quantization import quantize

from ..graphs import float_input, ids_input, model_of, operators, run

LAYERS, WIDTH, WORDS = 2, 64, 400


@pytest.fixture(scope="module")
def masked_language_model() -> keras.Model:
    """A BERT with its masked-language head, tied to the token embedding; all weights large enough to quantize."""
    keras.utils.set_random_seed(0)
    backbone = models.BertBackbone(WORDS, LAYERS, 2, WIDTH, 2 * WIDTH, max_sequence_length=16)
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    mask = keras.Input((None,), dtype="int32", name="attention_mask")
    named = {"token_ids": ids, "padding_mask": mask, "segment_ids": keras.ops.zeros_like(ids)}
    head = layers.MaskedLMHead(token_embedding=backbone.token_embedding, intermediate_activation="gelu")
    return keras.Model([ids, mask], head(backbone(named)["sequence_output"], ids))


@pytest.mark.parametrize("portable", [False, True])
def test_every_product_of_an_encoder_is_quantized(masked_language_model, portable):
    fp32 = optimise(lower_model(masked_language_model, portable=portable))
    quantized, coverage = quantize(fp32, portable=portable)
    found, products = operators(quantized), 6 * LAYERS + 2
    assert coverage.kinds["MatMul"].computed == products
    assert coverage.kinds["MatMul"].kept == 0
    if portable:
        assert set(quantized.opset_imports) == {""}
        assert found.count("MatMulInteger") == products
    else:
        assert found.count("DynamicQuantizeMatMul") + found.count("MatMulIntegerToFloat") == products
        assert found.count("MatMulIntegerToFloat") == 3 * LAYERS  # of queries, keys and values
    draw = np.random.default_rng(0)
    ids, mask = draw.integers(1, 6, (3, 6)), np.array([[1] * 6, [1] * 3 + [0] * 3, [0] * 6])
    (expected,), (actual,) = run(fp32, ids, mask), run(quantized, ids, mask, level="ENABLE_ALL")
    assert np.abs(actual - expected).max() < 0.05 * np.abs(expected).max()
    (precise,) = run(quantized, ids, mask, level="ENABLE_ALL", session__x64quantprecision="1")
    np.testing.assert_allclose(precise, actual, atol=0.01 * np.abs(expected).max())


def tables(model: ir.Model, shape: tuple[int, ...]) -> list[str]:
    """Types of the constants of a shape, either way round."""
    constants = [value.const_value for value in model.graph.initializers.values()]
    return [str(each.dtype) for each in constants if tuple(each.shape) in (shape, shape[::-1])]


def test_a_table_that_is_also_a_factor_is_stored_once():
    graph = Graph()
    table = graph.weight("table", np.random.default_rng(0).normal(0, 1, (600, 64)).astype(np.float32))
    rows = graph.op("Gather", table, ids_input(graph))
    bias = np.random.default_rng(1).normal(0, 1, 600).astype(np.float32)
    y = graph.op("Add", graph.op("MatMul", rows, graph.op("Transpose", table, perm=[1, 0])), bias)
    model, ids = model_of(graph, y), np.array([[0, 5, 599]])
    for portable in (False, True):
        quantized, coverage = quantize(model, portable=portable)
        assert tables(quantized, (600, 64)) == ["INT8"]
        assert coverage.quantized == coverage.total == 2
        (expected,), (actual,) = run(model, ids), run(quantized, ids, level="ENABLE_ALL")
        assert np.abs(actual - expected).max() < 0.03 * np.abs(expected).max()


def test_a_table_that_is_turned_for_something_else_stays():
    graph = Graph()
    table = graph.weight("table", np.random.default_rng(0).normal(0, 1, (600, 64)).astype(np.float32))
    rows = graph.op("Gather", table, ids_input(graph))
    turned = graph.op("ReduceSum", graph.op("Transpose", table, perm=[1, 0]), np.array([1]), keepdims=0)
    quantized, coverage = quantize(model_of(graph, graph.op("Add", rows, turned)))
    assert tables(quantized, (600, 64)) == ["FLOAT"]
    assert coverage.quantized == 0


def test_products_of_one_input_share_its_rounding():
    graph = Graph()
    x, draw = float_input(graph, "rows", 64), np.random.default_rng(0)
    parts = [graph.op("MatMul", x, draw.normal(0, 1, (64, 96)).astype(np.float32)) for _ in range(2)]
    other = graph.op("MatMul", graph.op("Relu", parts[0]), draw.normal(0, 1, (96, 64)).astype(np.float32))
    model = model_of(graph, graph.op("Add", *parts), other)
    quantized, _ = quantize(model)
    assert sorted(operators(quantized)) == [
        "Add",
        "DynamicQuantizeLinear",
        "DynamicQuantizeMatMul",
        "MatMulIntegerToFloat",
        "MatMulIntegerToFloat",
        "Relu",
    ]
    x = draw.normal(0, 1, (3, 64)).astype(np.float32)
    for ours, theirs in zip(run(quantized, x), run(model, x), strict=True):
        assert np.abs(ours - theirs).max() < 0.03 * np.abs(theirs).max()


def test_calibration_is_for_onnxruntime():
    graph = Graph()
    model = model_of(graph, graph.op("Relu", float_input(graph, "rows", 64)))
    with pytest.raises(ValueError, match="calibration samples and portable=True"):
        quantize(model, calibration=[{"x": np.zeros((1, 64), np.float32)}], portable=True)

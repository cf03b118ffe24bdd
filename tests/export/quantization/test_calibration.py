"""Static int8: fixed ranges are tight, shared, and make a row's answer its own."""

import keras
import numpy as np
import onnx_ir as ir
import pytest
from keras import layers

from kerasllm.export.compiler import lower_model
from kerasllm.export.errors import ExportError
from kerasllm.export.graph import Graph
from kerasllm.export.passes import optimise
from kerasllm.export.quantization import quantize
from kerasllm.export.quantization.calibration import best_range, observe

from ..graphs import float_input, model_of, operators, run

rng = np.random.default_rng(0)


def normal(*shape: int, scale: float = 1.0) -> np.ndarray:
    return rng.normal(0, scale, shape).astype(np.float32)


def two_products() -> ir.Model:
    """x [rows, 64] into two products of one value, then a third one of positive values."""
    graph = Graph()
    x = float_input(graph, "rows", 64)
    left = graph.op("Add", graph.op("MatMul", x, normal(64, 96, scale=0.1)), normal(96))
    right = graph.op("MatMul", x, normal(64, 96, scale=0.1))
    positive = graph.op("Relu", graph.op("Add", left, right))
    return model_of(graph, graph.op("MatMul", positive, normal(96, 64, scale=0.1)))


def samples(count: int = 20) -> list[dict[str, np.ndarray]]:
    return [{"x": normal(8, 64)} for _ in range(count)]


def test_products_of_one_value_share_its_rounding():
    quantized, coverage = quantize(two_products(), calibration=samples())
    assert sorted(operators(quantized)) == sorted(
        ["QuantizeLinear"] * 2 + ["MatMulIntegerToFloat"] * 3 + ["Add", "Relu"]
    )
    assert (coverage.quantized, coverage.total, coverage.kinds["MatMul"].computed) == (3, 3, 3)


@pytest.mark.parametrize("level", ["DISABLE_ALL", "ENABLE_ALL"])
def test_static_is_as_close_as_dynamic(level):
    model, x = two_products(), normal(16, 64)
    (expected,) = run(model, x)
    (static,) = run(quantize(model, calibration=samples())[0], x, level=level)
    assert np.linalg.norm(static - expected) < 0.03 * np.linalg.norm(expected)


def test_a_row_does_not_depend_on_its_batch():
    model, row = two_products(), normal(1, 64)
    batch = np.concatenate([row, 30 * normal(3, 64)])
    dynamic, static = (quantize(model, calibration=feeds)[0] for feeds in ([], samples()))
    np.testing.assert_array_equal(run(static, row)[0][0], run(static, batch)[0][0])
    assert np.abs(run(dynamic, row)[0][0] - run(dynamic, batch)[0][0]).max() > 0.05


def test_zero_stays_zero():
    model = two_products()
    quantized, _ = quantize(model, calibration=[{"x": 5 + np.abs(normal(8, 64))}])
    zeros = np.zeros((1, 64), np.float32)
    (expected,), (static,) = run(model, zeros), run(quantized, zeros)
    np.testing.assert_allclose(static, expected, atol=0.1)


def test_values_that_are_always_zero():
    model = two_products()
    zeros = {"x": np.zeros((4, 64), np.float32)}
    (static,) = run(quantize(model, calibration=[zeros])[0], zeros["x"])
    np.testing.assert_allclose(static, run(model, zeros["x"])[0], atol=0.1)


def test_the_best_range_clips_a_lone_outlier_and_keeps_a_plain_one():
    values = np.append(normal(1_000_000), [-60.0, 60.0])
    low, high = best_range(np.histogram(values, 2048, (-60, 60))[0], -60, 60)
    assert -30 < low < -4 < 4 < high < 30
    counts = np.histogram(rng.uniform(-1, 3, 100_000), 2048, (-1, 3))[0]
    assert best_range(counts, -1, 3) == (-1, 3)


def test_observed_ranges_hold_zero():
    model = two_products()
    (relu,) = [node.outputs[0].name for node in model.graph if node.op_type == "Relu"]
    ranges = observe(model, ["x", relu], [{"x": 5 + np.abs(normal(8, 64))} for _ in range(3)])
    assert ranges["x"][0] == 0
    assert 5 < ranges["x"][1] < 11
    assert ranges[relu][0] == 0


def test_lstm_stays_dynamic_beside_static_products():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((None,), dtype="int32"), layers.Embedding(500, 64), layers.Dense(64), layers.LSTM(64)]
    )
    lowered = optimise(lower_model(model))
    ids = rng.integers(0, 500, (4, 20))
    quantized, _ = quantize(lowered, calibration=[{lowered.graph.inputs[0].name: ids}])
    assert {"QuantizeLinear", "MatMulIntegerToFloat", "DynamicQuantizeLSTM"} <= set(operators(quantized))
    (answer,) = run(quantized, ids, level="ENABLE_ALL")
    np.testing.assert_allclose(answer, np.asarray(model(ids.astype(np.int32))), atol=0.02)


@pytest.mark.parametrize(
    ("feeds", "kind", "match"),
    [
        ([{"y": normal(8, 64)}], ValueError, r"inputs \['x'\]. Received: \['y'\]"),
        ([{"x": np.full((1, 64), np.nan, np.float32)}], ExportError, "finite.*calibration sample"),
    ],
)
def test_samples_that_do_not_fit_are_an_error(feeds, kind, match):
    with pytest.raises(kind, match=match):
        quantize(two_products(), calibration=feeds)


def test_no_samples_are_an_error():
    with pytest.raises(ValueError, match="at least one sample"):
        observe(two_products(), ["x"], [])


def test_the_float_model_is_left_as_it_is():
    model = two_products()
    before = ir.to_proto(model).SerializeToString()
    quantize(model, calibration=samples(2))
    assert ir.to_proto(model).SerializeToString() == before

"""Two routes, one oracle: what Keras computes, and what onnxruntime computes from the lowered, cleaned-up graph."""

from typing import Any

import keras
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from hypothesis import HealthCheck, Phase, settings

from kerasllm.export.compiler import functional_graph, lower_model
from kerasllm.export.passes import optimise

# Random configurations: few of each, since Keras takes most of the time, and the same ones every time.
examples = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],  # Phase.explain takes minutes here
)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Random real numbers, float32."""
    return np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)


def ragged(rows: int = 4, length: int = 5, seed: int = 0) -> np.ndarray:
    """Token ids 1 to 9, padded with 0 on the right, int32 [rows, length]: one row full, one of padding alone."""
    rng = np.random.default_rng(seed)
    lengths = np.append(rng.integers(1, length, rows - 2), [length, 0])
    return np.where(np.arange(length) < lengths[:, None], rng.integers(1, 10, (rows, length)), 0).astype(np.int32)


def randomize(model: keras.Model, seed: int = 0) -> keras.Model:
    """Gives every weight a random value: zeros for biases and ones for scales would hide mistakes."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" in weight.name:
            continue
        values = rng.normal(0, 0.5, weight.shape)
        weight.assign(np.abs(values) + 0.1 if "variance" in weight.name else values)
    return model


def session_of(lowered: ir.Model) -> onnxruntime.InferenceSession:
    """Checks an ONNX model to the letter and loads it, on one thread."""
    proto = ir.to_proto(lowered)
    onnx.checker.check_model(proto, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def onnx_outputs(session: onnxruntime.InferenceSession, inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Runs a session on inputs in order; integers go in as int64, as every client sends them."""
    feeds = {
        meta.name: array.astype(np.int64) if array.dtype.kind in "iu" else array
        for meta, array in zip(session.get_inputs(), inputs, strict=True)
    }
    return session.run(None, feeds)


def assert_parity(model: keras.Model, *inputs: Any, tolerance: float = 1e-5, portable: bool = False) -> ir.Model:
    """Lowers a model and compares every output with Keras's, by the largest difference relative to max(1, |Keras|).

    Args:
        model: The model.
        *inputs: An array for each input, or one dictionary of them by name.
        tolerance: Largest difference.
        portable: Whether to lower to standard operators only.

    Returns:
        The lowered model, for a closer look at its operators.
    """
    lowered = lower_model(model, portable=portable)
    if len(inputs) == 1 and isinstance(inputs[0], dict):
        expected = model(inputs[0], training=False)
        inputs = tuple(inputs[0][tensor.name] for tensor in functional_graph(model).inputs)
    else:
        expected = model(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
    flat = [np.asarray(value) for value in keras.tree.flatten(expected)]
    actual = onnx_outputs(session_of(optimise(lowered)), inputs)
    assert len(actual) == len(flat)
    for ours, theirs in zip(actual, flat, strict=True):
        assert ours.shape == theirs.shape
        assert ours.dtype == theirs.dtype or "float16" in str(theirs.dtype)
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    return lowered


def operators(lowered: ir.Model) -> list[str]:
    """The names of a graph's operators, in order."""
    return [node.op_type for node in lowered.graph]

"""Two routes, one oracle: what Keras computes, and what onnxruntime computes from the lowered graph."""

import keras
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime

from kerasllm.export.compiler import lower_model


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


def assert_parity(model: keras.Model, *inputs: np.ndarray, tolerance: float = 1e-5) -> ir.Model:
    """Lowers a model and compares every output with Keras's, by the largest difference relative to max(1, |Keras|).

    Returns:
        The lowered model, for a closer look at its operators.
    """
    lowered = lower_model(model)
    expected = keras.tree.flatten(model(list(inputs) if len(inputs) > 1 else inputs[0], training=False))
    actual = onnx_outputs(session_of(lowered), inputs)
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, (np.asarray(value) for value in expected), strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)
    return lowered

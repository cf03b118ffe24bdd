import numpy as np
import onnx_ir as ir
import pytest

from kerasllm.export.causal import blockwise
from kerasllm.export.causal.lowering import lower_causal
from kerasllm.export.causal.quantized import quantize_causal
from kerasllm.export.causal.reading import read_parts
from kerasllm.export.quantization.weights import Weights
from tests.export.causal.decoders import CONTEXT, FAMILIES, calm, keras_logits, small
from tests.export.causal.test_blockwise import unpack
from tests.export.parity import session_of

IDS = np.array([[4, 9, 2, 7]])


def logits(graph, ids=IDS, heads=2):
    """float32 [batch, tokens, vocabulary], of texts read at once."""
    session = session_of(graph)
    past = {n.name: np.zeros((len(ids), heads, 0, 16), np.float32) for n in session.get_inputs() if "past" in n.name}
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    feed["position_ids"] = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
    return session.run(["logits"], feed | past)[0]


def test_blocks_compute_with_the_rounded_weights(monkeypatch):
    monkeypatch.setattr(blockwise, "_INT8_PRODUCTS", 0)  # activations stay float32
    lowered = lower_causal(read_parts(small("llama", intermediate=43), CONTEXT))
    quantized, coverage = quantize_causal(lowered, lambda name: 4)
    assert coverage["quantized"] == coverage["total"] == 2 * 5 + 2
    round_weights(lowered, quantized)
    np.testing.assert_allclose(logits(quantized), logits(lowered), atol=1e-3)


def round_weights(lowered, quantized):
    """Gives a float32 graph the weights that the quantized one holds; returns their names."""
    stored = {name: value.const_value.numpy() for name, value in quantized.graph.initializers.items()}
    rounded = []
    for name, value in lowered.graph.initializers.items():
        if f"{name}_int4" in stored:
            rows = unpack(stored[f"{name}_int4"], stored[f"{name}_scales"], value.shape[0])
            value.const_value = ir.tensor(rows.T)
        elif f"{name}_int8" in stored:
            value.const_value = ir.tensor(stored[f"{name}_int8"] * stored[f"{name}_scale"])
        else:
            continue
        rounded.append(name)
    return rounded


def round_tokens(lowered, names):
    """Makes a float32 graph round what it multiplies by some weights to 127ths of the largest value of the token."""
    weights = Weights(lowered.graph)
    axis, most = weights.constant(np.array([-1])), weights.constant(np.array(127, np.float32))
    for node in list(lowered.graph):
        source = weights.source(node.inputs[1])[0] if node.op_type == "MatMul" else None
        if source is not None and source.name in names:
            size = ir.node("Abs", [node.inputs[0]])
            largest = ir.node("ReduceMax", [size.outputs[0], axis])
            step = ir.node("Div", [largest.outputs[0], most])
            whole = ir.node("Div", [node.inputs[0], step.outputs[0]])
            nearest = ir.node("Round", [whole.outputs[0]])
            rounded = ir.node("Mul", [nearest.outputs[0], step.outputs[0]])
            lowered.graph.insert_before(node, [size, largest, step, whole, nearest, rounded])
            node.replace_input_with(0, rounded.outputs[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_columns_compute_with_the_rounded_weights_and_tokens(family):
    heads = 4 if family == "gpt2" else 2
    lowered = lower_causal(read_parts(calm(small(family)), CONTEXT))
    quantized, _ = quantize_causal(lowered, lambda name: 8)
    unrounded = logits(lowered, heads=heads)
    round_tokens(lowered, round_weights(lowered, quantized))
    expected = logits(lowered, heads=heads)
    np.testing.assert_allclose(logits(quantized, heads=heads), expected, atol=1e-4)
    assert np.abs(unrounded - expected).max() > 0.01


@pytest.mark.parametrize("family", FAMILIES)
def test_columns_lose_little_and_no_text_depends_on_others(family):
    model, heads = calm(small(family)), 4 if family == "gpt2" else 2
    lowered, expected = lower_causal(read_parts(model, CONTEXT)), keras_logits(model, IDS[0].tolist())
    quantized, coverage = quantize_causal(lowered, lambda name: 8)
    assert coverage["quantized"] == coverage["total"]
    tables = [name for name in quantized.graph.initializers if name.endswith("_int8") and "token_embedding" in name]
    assert len(tables) == (1 if family in ("gpt2", "qwen2") else 2)  # a table that is the head too is there once
    alone = logits(quantized, heads=heads)
    assert 0 < np.linalg.norm(alone[0] - expected) < 0.05 * np.linalg.norm(expected)
    together = logits(quantized, np.concatenate([IDS, IDS[:, ::-1], 60 - IDS]), heads=heads)
    np.testing.assert_allclose(together[:1], alone, atol=1e-4)

import numpy as np
import onnx_ir as ir
import pytest

from kerasllm.export.causal import blockwise
from kerasllm.export.causal.lowering import lower_causal
from kerasllm.export.causal.quantized import quantize_causal
from kerasllm.export.causal.reading import read_parts
from tests.export.causal.decoders import CONTEXT, FAMILIES, keras_logits, small
from tests.export.causal.test_blockwise import unpack
from tests.export.parity import session_of

IDS = np.array([[4, 9, 2, 7]])


def logits(graph, ids=IDS, heads=2):
    """float32 [batch, tokens, vocabulary], of texts read at once."""
    session = session_of(graph)
    past = {n.name: np.zeros((len(ids), heads, 0, 16), np.float32) for n in session.get_inputs() if "past" in n.name}
    positions = np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
    return session.run(
        ["logits"], {"input_ids": ids, "attention_mask": np.ones_like(ids), "position_ids": positions} | past
    )[0]


@pytest.mark.parametrize("tied", [True, False])
def test_the_graph_computes_with_the_rounded_weights(tied, monkeypatch):
    monkeypatch.setattr(blockwise, "_INT8_PRODUCTS", 0)  # activations stay float32
    model = small("llama", tied=tied, intermediate=43)
    lowered = lower_causal(read_parts(model, CONTEXT))
    quantized, coverage = quantize_causal(lowered, lambda name: "int8 blocks")
    assert coverage["quantized"] == coverage["total"] == 2 * 5 + 2
    tables = [name for name in quantized.graph.initializers if name.endswith("_int8") and "embedding" in name]
    assert len(tables) == (1 if tied else 2)
    for name, value in lowered.graph.initializers.items():
        if f"{name}_int8" in quantized.graph.initializers:
            parts = (quantized.graph.initializers[f"{name}_{part}"].const_value.numpy() for part in ("int8", "scales"))
            turned = not name.endswith("_embedding/embeddings")
            rows = unpack(*parts, value.shape[0 if turned else 1])
            value.const_value = ir.tensor(rows.T if turned else rows)
    np.testing.assert_allclose(logits(quantized), logits(lowered), atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_columns_lose_hardly_more_than_blocks_and_texts_depend_on_nobody(family):
    model, heads = small(family), 4 if family == "gpt2" else 2
    lowered, expected = lower_causal(read_parts(model, CONTEXT)), keras_logits(model, IDS[0].tolist())
    (columns, coverage), (blocks, _) = (
        quantize_causal(lowered, lambda name, kind=kind: kind) for kind in ("int8 columns", "int8 blocks")
    )
    assert coverage["quantized"] == coverage["total"]
    alone = logits(columns, heads=heads)
    lost, lost_by_blocks = (np.linalg.norm(got - expected) for got in (alone[0], logits(blocks, heads=heads)[0]))
    assert 0 < lost < 1.5 * lost_by_blocks
    together = logits(columns, np.concatenate([IDS, IDS[:, ::-1], 60 - IDS]), heads=heads)
    np.testing.assert_allclose(together[:1], alone, atol=1e-4)

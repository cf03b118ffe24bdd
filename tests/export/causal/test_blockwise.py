import numpy as np
import onnx_ir as ir
import pytest

from kerasllm.export.causal import blockwise
from kerasllm.export.causal.blockwise import BLOCK, pack, quantize_blocks
from kerasllm.export.causal.lowering import lower_causal
from kerasllm.export.causal.reading import read_parts
from tests.export.causal.decoders import CONTEXT, small
from tests.export.parity import session_of


def unpack(packed: np.ndarray, scales: np.ndarray, columns: int) -> np.ndarray:
    """The oracle: what MatMulNBits is documented to read."""
    bits = packed.shape[-1] * 8 // BLOCK
    if bits == 4:
        packed = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:2], BLOCK)
    values = (packed.astype(np.float32) - 2 ** (bits - 1)) * scales[..., None]
    return values.reshape(len(values), -1)[:, :columns]


@pytest.mark.parametrize(("bits", "error"), [(8, 0.004), (4, 0.07)])
@pytest.mark.parametrize("columns", [64, 43])
def test_rounding_loses_little(bits, error, columns):
    rows = np.random.default_rng(0).normal(size=(6, columns)).astype(np.float32)
    rows[2] = 0
    restored = unpack(*pack(rows, bits), columns)
    assert np.linalg.norm(restored - rows) < 1.5 * error * np.linalg.norm(rows)
    assert not restored[2].any()


@pytest.mark.parametrize("tied", [True, False])
def test_the_graph_computes_with_the_rounded_weights(tied, monkeypatch):
    monkeypatch.setattr(blockwise, "_INT8_PRODUCTS", 0)  # activations stay float32
    model = small("llama", tied=tied, intermediate=43)
    lowered = lower_causal(read_parts(model, CONTEXT))
    quantized, coverage = quantize_blocks(lowered, lambda name: 8)
    assert coverage["quantized"] == coverage["total"] == 2 * 5 + 2
    tables = [name for name in quantized.graph.initializers if name.endswith("_int8") and "embedding" in name]
    assert len(tables) == (1 if tied else 2)
    for name, value in lowered.graph.initializers.items():
        if f"{name}_int8" in quantized.graph.initializers:
            parts = (quantized.graph.initializers[f"{name}_{part}"].const_value.numpy() for part in ("int8", "scales"))
            turned = not name.endswith("_embedding/embeddings")
            rows = unpack(*parts, value.shape[0 if turned else 1])
            value.const_value = ir.tensor(rows.T if turned else rows)
    ids = np.array([[4, 9, 2, 7]])
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "position_ids": np.arange(4)[None]}
    outputs = []
    for graph in (lowered, quantized):
        session = session_of(graph)
        past = {n.name: np.zeros((1, 2, 0, 16), np.float32) for n in session.get_inputs() if "past" in n.name}
        outputs.append(session.run(["logits"], feed | past)[0])
    np.testing.assert_allclose(outputs[1], outputs[0], atol=1e-3)

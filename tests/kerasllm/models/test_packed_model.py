"""Several texts in a row are predicted as if each stood alone."""

import numpy as np
import pytest

from kerasllm.data.causal_rows import positions
from kerasllm.models.causal_models import DecoderShape, build_causal_lm
from kerasllm.models.packed_model import packed_model, training_flops

SHAPE = {"decoder": "nano", "vocab_size": 11, "layers": 2, "heads": 2, "head_size": 4, "hidden": 8, "context": 12}


def shape(architecture):
    kv_heads = 2 if architecture == "gpt2" else 1
    tied = architecture != "mistral"
    return DecoderShape(architecture=architecture, kv_heads=kv_heads, intermediate=16, tied=tied, **SHAPE)


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "mistral", "qwen2", "qwen3"])
def test_texts_of_a_row_do_not_see_each_other(architecture):
    model = build_causal_lm(shape(architecture))
    packed = packed_model(model, 9)
    assert [weight.path for weight in packed.weights] == [weight.path for weight in model.weights]
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
    texts = [random.integers(0, 11, (1, length)) for length in (4, 3)]
    segments = np.array([[1, 1, 1, 1, 2, 2, 2, 0, 0]])
    row = np.concatenate([*texts, [[5, 5]]], axis=1)
    together = np.asarray(packed({"token_ids": row, "segments": segments, "positions": positions(segments)}))
    alone = [np.asarray(model({"token_ids": text, "padding_mask": np.ones_like(text)})) for text in texts]
    np.testing.assert_allclose(together[:, :7], np.concatenate(alone, axis=1), atol=2e-4)


def test_flops_are_six_a_weight_and_attention():
    weights = 2 * (4 * 8 * 8 + 2 * 8 * 16) + 11 * 8
    assert training_flops(shape("gpt2"), 10) == 6 * weights + 12 * 2 * 8 * 10
    assert training_flops(shape("llama"), 10) == 6 * (2 * (3 * 8 * 8 + 3 * 8 * 16) + 11 * 8) + 12 * 2 * 8 * 10

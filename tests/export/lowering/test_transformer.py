"""KerasHub's encoders: every architecture, activation, norm order and mask, and the operators that they become."""

import keras
import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras_hub import layers, models
from keras_hub.src.utils.keras_utils import gelu_approximate

from kerasllm.export.compiler import lower_model
from kerasllm.export.passes import optimise

from ..parity import assert_parity, examples, numbers, operators, randomize

ARCHITECTURES = {
    "distilbert": models.DistilBertBackbone,
    "bert": models.BertBackbone,
    "roberta": models.RobertaBackbone,
    "albert": models.AlbertBackbone,
    "electra": models.ElectraBackbone,
}
# Rows with padding on the right, with holes, of padding alone, and full.
MASKS = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], np.int32)


def encoder(architecture: str, count: int = 2, heads: int = 2, size: int = 4, **sizes: object) -> keras.Model:
    """A small backbone with random weights, from named inputs to its hidden states (and pooled vector)."""
    names = {"electra": "vocab_size"}
    settings = {
        names.get(architecture, "vocabulary_size"): 30,
        "num_layers": count,
        "num_heads": heads,
        "hidden_dim": heads * size,
        "intermediate_dim": 12,
        "max_sequence_length": 8,
        **({"embedding_dim": 6} if architecture in ("albert", "electra") else {}),
        **sizes,
    }
    backbone = ARCHITECTURES[architecture](**settings)
    taken = {"token_ids": "input_ids", "padding_mask": "attention_mask", "segment_ids": "token_type_ids"}
    inputs = {role: keras.Input((None,), dtype="int32", name=taken[role]) for role in backbone.input}
    return randomize(keras.Model(list(inputs.values()), backbone(inputs)))


def arrays(model: keras.Model) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    known = {
        "input_ids": draw.integers(0, 30, MASKS.shape, dtype=np.int32),
        "attention_mask": MASKS,
        "token_type_ids": draw.integers(0, 2, MASKS.shape, dtype=np.int32),
    }
    return [known[tensor.name] for tensor in model.inputs]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@examples
@given(
    count=st.integers(1, 2),
    heads=st.integers(1, 3),
    size=st.sampled_from([2, 4]),
    dropout=st.sampled_from([0.0, 0.1]),
    portable=st.booleans(),
)
def test_backbones(architecture, count, heads, size, dropout, portable):
    model = encoder(architecture, count, heads, size, dropout=dropout)
    lowered = assert_parity(model, *arrays(model), tolerance=1e-4, portable=portable)
    found = operators(optimise(lowered))
    assert found.count("MultiHeadAttention") == (0 if portable else count)
    assert found.count("Softmax") == (count if portable else 0)
    assert found.count("LayerNormalization") == found.count("Sum") == 1 + 2 * count
    assert not {"Einsum", "CumSum", "Expand", "SkipLayerNormalization"} & set(found)
    assert found.count("Where") == int(portable)  # one mask for all layers
    assert portable == (set(lowered.opset_imports) == {""})


@examples
@given(
    pre_norm=st.booleans(),
    activation=st.sampled_from(["relu", "gelu", gelu_approximate]),
    dropout=st.sampled_from([0.0, 0.1]),
    padding=st.booleans(),
    pairs=st.booleans(),
    portable=st.booleans(),
)
def test_layers(pre_norm, activation, dropout, padding, pairs, portable):
    x = keras.Input((None, 8))
    mask, attention = keras.Input((None,), dtype="int32"), keras.Input((None, None), dtype="int32")
    layer = layers.TransformerEncoder(12, 2, dropout=dropout, activation=activation, normalize_first=pre_norm)
    y = layer(x, padding_mask=mask if padding else None, attention_mask=attention if pairs else None)
    y = layer(y, padding_mask=mask if padding else None)  # one layer's weights, twice
    seen = (numbers(4, 5, 5, seed=2) > 0).astype(np.int32)
    seen[0, 1] = 0  # a query with no key at all
    model = randomize(keras.Model([x, mask, attention], y))
    lowered = assert_parity(model, numbers(4, 5, 8), MASKS, seen, tolerance=1e-4, portable=portable)
    assert operators(lowered).count("MultiHeadAttention") == (0 if portable else 2)
    assert sum(value.name.endswith("kernel") for value in lowered.graph.initializers.values()) == 6
    assert "Einsum" not in operators(lowered)


def test_onnxruntime_leaves_the_residuals_alone(tmp_path):
    model = encoder("bert")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    options.log_severity_level = 3
    data = ir.to_proto(optimise(lower_model(model))).SerializeToString()
    onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    found = [node.op_type for node in onnx.load(tmp_path / "loaded.onnx").graph.node]
    assert "SkipLayerNormalization" not in found
    assert found.count("LayerNormalization") == 5


@pytest.mark.parametrize("architecture", ["distilbert", "bert"])
def test_axes_keep_their_names(architecture):
    graph = optimise(lower_model(encoder(architecture))).graph
    (states,) = (value for value in graph.outputs if len(value.shape) == 3)
    (attended, _) = (node.outputs[0] for node in graph if node.op_type == "MultiHeadAttention")
    for value in (states, attended):
        assert [str(size) for size in value.shape] == ["batch_size", "sequence_length", "8"]


@pytest.mark.parametrize("tied", [True, False])
def test_masked_language_models(tied):
    backbone = models.BertBackbone(30, 1, 2, 8, 12, max_sequence_length=8)
    positions = keras.Input((None,), dtype="int32")
    head = layers.MaskedLMHead(
        vocabulary_size=30,
        token_embedding=backbone.token_embedding if tied else None,
        intermediate_activation="gelu",
        layer_norm_epsilon=1e-12,
    )
    logits = head(backbone.output["sequence_output"], positions)
    model = randomize(keras.Model([*backbone.inputs, positions], logits))
    named = dict(zip([tensor.name for tensor in backbone.inputs], backbone.inputs, strict=True))
    ids = np.random.default_rng(0).integers(0, 30, MASKS.shape, dtype=np.int32)
    given_ids = {"token_ids": ids, "segment_ids": ids % 2, "padding_mask": MASKS}
    places = np.array([[0, 1], [2, 0], [4, 4], [3, 2]], np.int32)
    assert_parity(model, *(given_ids[name] for name in named), places, tolerance=1e-4)


def test_attention_with_a_cache_parameter_but_no_cache():
    x = keras.Input((None, 8))
    mask = keras.Input((None, None), dtype="bool")
    layer = layers.CachedMultiHeadAttention(2, 4, dropout=0.1)
    model = randomize(keras.Model([x, mask], layer(x, x, attention_mask=mask)))
    lowered = assert_parity(model, numbers(2, 5, 8), np.tril(np.ones((2, 5, 5), bool)), tolerance=1e-4)
    assert operators(lowered).count("MultiHeadAttention") == 1

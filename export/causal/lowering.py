"""A decoder as one ONNX graph.

KerasHub's decoder layers work out masks and positions of a whole text from its length. A graph with a cache gets them
from outside instead, so nothing of a layer's own `call` can be replayed: this module writes the graph layer by layer
from the weights. It is held to Keras by its logits, at every export.
"""

from typing import Any

import numpy as np
import onnx_ir as ir

from ... import __version__
from ..graph import CONTRIB, IR_VERSION, OPSET, Graph
from .attention import Attention, new_attention
from .operators import layer_norm, product, rms_norm
from .reading import CausalParts

KEEP = "num_logits_to_keep"
_ALL = np.iinfo(np.int64).max


def lower_causal(parts: CausalParts, *, portable: bool = False) -> ir.Model:
    """Lowers a decoder.

    The graph reads prompts (past length 0) and single tokens alike. Rows are padded on the right.

    Args:
        parts: The decoder.
        portable: Whether to use standard ONNX operators only, for runtimes other than onnxruntime.

    Returns:
        A graph from int64 `input_ids` [batch_size, sequence_length], `attention_mask` [batch_size,
        total_sequence_length] (of earlier and new tokens), `position_ids` [batch_size, sequence_length], and float32
        `past_key_values.{i}.key` and `.value` [batch_size, kv_heads, past_sequence_length, head_size] to float32
        `logits` [batch_size, kept, vocabulary], `present.{i}.key` and `.value`. `num_logits_to_keep`, an
        int64 scalar, is an initializer that may be overridden: logits are made of the last so many positions, of all
        with 0.
    """
    graph = Graph(portable=portable)
    tokens = ("batch_size", "sequence_length")
    ids = graph.input("input_ids", ir.DataType.INT64, tokens)
    mask = graph.input("attention_mask", ir.DataType.INT64, ("batch_size", "total_sequence_length"))
    positions = graph.input("position_ids", ir.DataType.INT64, tokens)
    pasts = [_cache(graph, parts, f"past_key_values.{layer}", "past_sequence_length") for layer in _layers(parts)]
    attention = new_attention(graph, parts, mask, positions)
    x = _embed(graph, parts, ids, positions)
    outputs: list[ir.Value] = []
    for layer, past in zip(parts.layers, pasts, strict=True):
        x, present = (_gpt2_layer if parts.family == "gpt2" else _gated_layer)(graph, attention, layer, x, past)
        outputs += present
    graph.scope = ""
    logits = _head(graph, parts, x)
    _name(logits, "logits", ("batch_size", "kept_sequence_length", parts.vocab_size))
    for index, value in enumerate(outputs):
        name = f"present.{index // 2}.{('key', 'value')[index % 2]}"
        _name(value, name, ("batch_size", parts.kv_heads, "total_sequence_length", parts.head_size))
    body = ir.Graph(
        graph.inputs,
        [logits, *outputs],
        nodes=graph.nodes,
        initializers=tuple(value for value in graph.initializers.values() if value.uses()),
        opset_imports={"": OPSET} if portable else {"": OPSET, CONTRIB: 1},
        name=parts.backbone.name,
    )
    return ir.Model(body, ir_version=IR_VERSION, producer_name="kerasllm", producer_version=__version__)


def _layers(parts: CausalParts) -> range:
    return range(len(parts.layers))


def _cache(graph: Graph, parts: CausalParts, name: str, length: str) -> tuple[ir.Value, ir.Value]:
    shape = ("batch_size", parts.kv_heads, length, parts.head_size)
    key, value = (graph.input(f"{name}.{part}", ir.DataType.FLOAT, shape) for part in ("key", "value"))
    return key, value


def _name(value: ir.Value, name: str, shape: tuple[str | int, ...]) -> None:
    value.name, value.type, value.shape = name, ir.TensorType(ir.DataType.FLOAT), ir.Shape(shape)


def _embed(graph: Graph, parts: CausalParts, ids: ir.Value, positions: ir.Value) -> ir.Value:
    """Rows of tokens, and for gpt2 of positions: float32 [batch, sequence, hidden]."""
    layer = parts.backbone.token_embedding
    graph.scope = layer.name
    x = graph.op("Gather", graph.variable(layer.embeddings), ids)
    if parts.family == "gpt2":
        places = parts.backbone.position_embedding
        graph.scope = places.name
        x = graph.op("Add", x, graph.op("Gather", graph.variable(places.position_embeddings), positions))
    return x


def _gpt2_layer(
    graph: Graph, attention: Attention, layer: Any, x: ir.Value, past: tuple[ir.Value, ir.Value]
) -> tuple[ir.Value, list[ir.Value]]:
    """Norm, attention, norm, two products with GELU between; what goes in is added to what comes out of both parts."""
    graph.scope = layer.name
    inner = layer._self_attention_layer
    context, *present = attention(inner, layer_norm(graph, layer._self_attention_layer_norm, x), past)
    x = graph.op("Sum", product(graph, inner._output_dense, context, 2), x)
    y = layer_norm(graph, layer._feedforward_layer_norm, x)
    y = product(graph, layer._feedforward_intermediate_dense, y)
    y = graph.op("Gelu", y, approximate="tanh") if graph.portable else graph.op("FastGelu", y, domain=CONTRIB)
    return graph.op("Sum", product(graph, layer._feedforward_output_dense, y), x), present


def _gated_layer(
    graph: Graph, attention: Attention, layer: Any, x: ir.Value, past: tuple[ir.Value, ir.Value]
) -> tuple[ir.Value, list[ir.Value]]:
    """The same with RMSNorm, and a product that is gated by another: SwiGLU (Shazeer 2020)."""
    graph.scope = layer.name
    inner = layer._self_attention_layer
    context, *present = attention(inner, rms_norm(graph, layer._self_attention_layernorm, x), past)
    x = graph.op("Sum", product(graph, inner._output_dense, context, 2), x)
    y = rms_norm(graph, layer._feedforward_layernorm, x)
    gate = product(graph, layer._feedforward_gate_dense, y)
    gate = graph.op("Mul", gate, graph.op("Sigmoid", gate))  # onnxruntime makes one operator of the two at load
    y = graph.op("Mul", product(graph, layer._feedforward_intermediate_dense, y), gate)
    return graph.op("Sum", product(graph, layer._feedforward_output_dense, y), x), present


def _head(graph: Graph, parts: CausalParts, x: ir.Value) -> ir.Value:
    """Logits of the last `num_logits_to_keep` positions: the only product over the whole vocabulary."""
    keep = graph.weight(KEEP, np.int64(0))
    graph.inputs.append(keep)
    start = graph.op("Unsqueeze", graph.op("Neg", keep), np.array([0]))
    x = graph.op("Slice", x, start, np.array([_ALL]), np.array([1]))
    norm = parts.backbone.layer_norm
    graph.scope = norm.name
    x = (layer_norm if parts.family == "gpt2" else rms_norm)(graph, norm, x)
    embedding = parts.backbone.token_embedding
    graph.scope = embedding.name
    if not parts.tied:
        kernel = embedding.reverse_embeddings
        return graph.op("MatMul", x, graph.variable(kernel))
    turned = graph.op("Transpose", graph.variable(embedding.embeddings), perm=[1, 0])
    return graph.op("MatMul", x, turned)

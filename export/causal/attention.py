"""Attention over keys and values of earlier tokens and of new ones.

onnxruntime's `GroupQueryAttention` (Ainslie et al. 2023) does all of it: it rotates, appends to the past, where past
and present are one buffer in place, and attends to as many tokens of each row as the mask counts. In standard operators
the past is concatenated, and the mask says which keys are real.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import onnx_ir as ir

from ..graph import CONTRIB, Graph
from .operators import product, rms_norm
from .reading import CausalParts

Attention = Callable[[Any, ir.Value, tuple[ir.Value, ir.Value]], tuple[ir.Value, ir.Value, ir.Value]]
_HIDDEN = np.float32(-1e9)


def new_attention(graph: Graph, parts: CausalParts, mask: ir.Value, positions: ir.Value) -> Attention:
    """What attends, in every layer of a graph.

    Args:
        graph: The graph.
        parts: The decoder.
        mask: int64 [batch, total], 1 where a token is, 0 where there is none.
        positions: int64 [batch, sequence].

    Returns:
        A function of an attention layer of Keras, its input [batch, sequence, hidden], and keys and values of the past;
        it gives [batch, sequence, heads * size], and keys and values of past and present.
    """
    return (_Standard if graph.portable else _Grouped)(graph, parts, mask, positions)


class _Grouped:
    """Attention by onnxruntime's own operator."""

    def __init__(self, graph: Graph, parts: CausalParts, mask: ir.Value, positions: ir.Value) -> None:
        self.graph, self.parts, self.positions = graph, parts, positions
        count = graph.op("ReduceSum", mask, np.array([1]), keepdims=0)
        self.last = graph.op("Cast", graph.op("Sub", count, np.int64(1)), to=ir.DataType.INT32)
        total = graph.op("Gather", graph.op("Shape", mask), np.int64(1), axis=0)
        self.total = graph.op("Cast", total, to=ir.DataType.INT32)
        self.rotation = [graph.weight(*item) for item in _rotation(parts)]

    def __call__(self, layer: Any, x: ir.Value, past: tuple[ir.Value, ir.Value]) -> Any:
        rotary = [*self.rotation, self.positions] if self.rotation and self._rotates_inside else []
        return self.graph.op(
            "GroupQueryAttention",
            *self._heads(layer, x),
            *past,
            self.last,
            self.total,
            *rotary,
            domain=CONTRIB,
            outputs=3,
            num_heads=self.parts.heads,
            kv_num_heads=self.parts.kv_heads,
            do_rotary=int(bool(rotary)),
        )

    def _heads(self, layer: Any, x: ir.Value) -> tuple[ir.Value | None, ...]:
        """Queries, keys and values by one product, unless the former have norms of their own."""
        denses = [layer._query_dense, layer._key_dense, layer._value_dense]
        if self.parts.family == "qwen3" or (self.rotation and not self._rotates_inside):
            q, k, v = project(self.graph, self.parts, layer, x)
            return (q, k, v) if self._rotates_inside else (self._rotate(q), self._rotate(k), v)
        kernels = [_flat(dense.kernel, 1) for dense in denses]
        weight = self.graph.weight("qkv/kernel", np.concatenate(kernels, axis=1))
        y = self.graph.op("MatMul", x, weight)
        if denses[0].bias is not None:
            biases = [_flat(dense.bias, 0)[0] for dense in denses]
            y = self.graph.op("Add", y, self.graph.weight("qkv/bias", np.concatenate(biases)))
        return y, None, None

    @property
    def _rotates_inside(self) -> bool:
        """GroupQueryAttention rotates heads of whole sixteens only."""
        return self.parts.head_size % 16 == 0

    def _rotate(self, x: ir.Value) -> ir.Value:
        return self.graph.op("RotaryEmbedding", x, self.positions, *self.rotation, domain=CONTRIB)


class _Standard:
    """Attention in standard operators."""

    def __init__(self, graph: Graph, parts: CausalParts, mask: ir.Value, positions: ir.Value) -> None:
        self.graph, self.parts = graph, parts
        op = graph.op
        total = op("Gather", op("Shape", mask), np.array([1]), axis=0)
        new = op("Gather", op("Shape", positions), np.array([1]), axis=0)
        column = op("Range", np.int64(0), op("Squeeze", total), np.int64(1))
        row = op("Unsqueeze", op("Range", op("Squeeze", op("Sub", total, new)), op("Squeeze", total), np.int64(1)), [1])
        real = op("Unsqueeze", op("Cast", mask, to=ir.DataType.BOOL), np.array([1, 2]))
        seen = op("And", op("LessOrEqual", column, row), real)  # [batch, 1, sequence, total]
        self.hidden = op("Where", seen, np.float32(0), _HIDDEN)
        self.rotation = []
        for name, table in _rotation(parts):
            rows = op("Gather", graph.weight(name, np.concatenate([table, table], axis=1)), positions)
            self.rotation.append(op("Unsqueeze", rows, np.array([1])))  # [batch, 1, sequence, size]

    def __call__(self, layer: Any, x: ir.Value, past: tuple[ir.Value, ir.Value]) -> Any:
        op, parts = self.graph.op, self.parts
        q, k, v = project(self.graph, parts, layer, x)
        q, k, v = self._split(q, parts.heads), self._split(k, parts.kv_heads), self._split(v, parts.kv_heads)
        if self.rotation:
            q, k = self._rotate(q), self._rotate(k)
        k, v = (op("Concat", old, new, axis=2) for old, new in zip(past, (k, v), strict=True))
        q = op("Mul", q, np.float32(parts.head_size**-0.5))
        scores = op("MatMul", q, op("Transpose", self._shared(k), perm=[0, 1, 3, 2]))
        weights = op("Softmax", op("Add", scores, self.hidden), axis=-1)
        y = op("Transpose", op("MatMul", weights, self._shared(v)), perm=[0, 2, 1, 3])
        # Values of the cache are outputs too, so they pass through as they are.
        return op("Reshape", y, np.array([0, 0, parts.heads * parts.head_size])), k, v

    def _split(self, x: ir.Value, heads: int) -> ir.Value:
        """[batch, sequence, heads * size] -> [batch, heads, sequence, size]."""
        split = self.graph.op("Reshape", x, np.array([0, 0, heads, self.parts.head_size]))
        return self.graph.op("Transpose", split, perm=[0, 2, 1, 3])

    def _rotate(self, x: ir.Value) -> ir.Value:
        """Rotates the first half of [batch, heads, sequence, size] with the second (Su et al. 2021)."""
        op, half = self.graph.op, self.parts.head_size // 2
        first, second = op("Split", x, np.array([half, half]), axis=-1, outputs=2)
        turned = op("Concat", op("Neg", second), first, axis=-1)
        cosine, sine = self.rotation
        return op("Add", op("Mul", x, cosine), op("Mul", turned, sine))

    def _shared(self, x: ir.Value) -> ir.Value:
        """[batch, kv_heads, total, size] -> [batch, heads, total, size]: a group of heads shares each."""
        groups = self.parts.heads // self.parts.kv_heads
        if groups == 1:
            return x
        op, parts = self.graph.op, self.parts
        wide = op("Unsqueeze", x, np.array([2]))
        wide = op("Concat", *[wide] * groups, axis=2)
        return op("Reshape", wide, np.array([0, parts.heads, -1, parts.head_size]))


def project(graph: Graph, parts: CausalParts, layer: Any, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Queries [batch, sequence, heads * size], keys and values [batch, sequence, kv_heads * size]."""
    q, k, v = (product(graph, dense, x) for dense in (layer._query_dense, layer._key_dense, layer._value_dense))
    if parts.family == "qwen3":
        norms = (layer._query_dense_layer_norm, layer._key_dense_layer_norm)
        sizes = (parts.heads, parts.kv_heads)
        scope = graph.scope
        normed = []
        for y, norm, heads in zip((q, k), norms, sizes, strict=True):
            graph.scope = f"{scope}/{norm.name}"
            split = graph.op("Reshape", y, np.array([0, 0, heads, parts.head_size]))
            y = rms_norm(graph, norm, split)
            normed.append(graph.op("Reshape", y, np.array([0, 0, heads * parts.head_size])))
        graph.scope = scope
        q, k = normed
    return q, k, v


def _flat(variable: Any, axes: int) -> np.ndarray:
    array = np.asarray(variable)
    return array.reshape(int(np.prod(array.shape[:axes])), -1)


def _rotation(parts: CausalParts) -> list[tuple[str, np.ndarray]]:
    """Cosines and sines of every position, float32 [context, head size / 2], as Keras's own layer has them."""
    if parts.family == "gpt2":
        return []
    layer = parts.layers[0]._self_attention_layer.rotary_embedding_layer
    shape = np.zeros((1, parts.context, 1, parts.head_size), np.float32)
    tables = layer._compute_cos_sin_embedding(keras.ops.convert_to_tensor(shape))
    half = parts.head_size // 2
    arrays = [np.asarray(keras.ops.convert_to_numpy(table))[0, :, 0, :half] for table in tables]
    return list(zip(("cos_cache", "sin_cache"), arrays, strict=True))

"""The builder: names, constants and weights."""

import numpy as np
import onnx_ir as ir
import pytest

from kerasllm.export import ExportError
from kerasllm.export.graph import Graph, constant_of, dimensions, keras_dtype, onnx_dtype


def test_equal_constants_are_one():
    graph = Graph()
    assert graph.constant([1, 2]) is graph.constant(np.array([1, 2]))
    assert graph.constant([1, 2]) is not graph.constant([1, 2], "float32")
    assert graph.constant(1.0).shape == ir.Shape([])
    assert len(graph.initializers) == 3


def test_a_weight_with_a_key_is_stored_once_for_each_layout():
    graph, owner = Graph(), object()
    first = graph.weight("kernel", np.ones((2, 2)), owner)
    assert graph.weight("kernel", np.ones((2, 2)), owner) is first
    assert graph.weight("kernel", np.ones((2, 2)), owner, "transposed") is not first
    assert graph.weight("kernel", np.ones((2, 2))) is not first


def test_half_precision_weights_become_float32():
    assert Graph().weight("kernel", np.ones(2, np.float16)).dtype == ir.DataType.FLOAT
    assert onnx_dtype("bfloat16") == ir.DataType.FLOAT


def test_names_are_unique_and_tell_the_scope():
    graph = Graph()
    x = graph.input("x", ir.DataType.FLOAT, ["batch_size", 4])
    graph.scope = "dense"
    first, second = graph.op("Relu", x), graph.op("Relu", x)
    assert [first.name, second.name] == ["dense/Relu", "dense/Relu_1"]
    parts = graph.op("Split", x, outputs=2, num_outputs=2, axis=1)
    assert len({value.name for value in parts}) == 2


def test_describing_does_not_overwrite():
    graph = Graph()
    x = graph.input("x", ir.DataType.FLOAT, ["batch_size", 4])
    assert dimensions(graph.describe(x, (None, None), "int32")) == (None, 4)
    assert keras_dtype(x) == "float32"


def test_what_is_not_known_is_said():
    graph = Graph()
    value = graph.op("Relu", graph.input("x", ir.DataType.FLOAT, [None]))
    with pytest.raises(ValueError, match="no shape"):
        dimensions(value)
    with pytest.raises(ValueError, match="element type"):
        keras_dtype(value)
    with pytest.raises(ValueError, match="run time"):
        constant_of(value)
    with pytest.raises(ExportError, match="complex64"):
        onnx_dtype("complex64")

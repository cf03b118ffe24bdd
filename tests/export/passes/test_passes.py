"""All clean-ups together: less of a graph, and the same results, whatever the graph."""

import keras
import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from kerasllm.export.compiler import lower_model
from kerasllm.export.graph import Graph
from kerasllm.export.passes import optimise

from ..graphs import ids_input, model_of, operators, run
from ..parity import examples, numbers, ragged, randomize

INT32, INT64, FLOAT, BOOL = ir.DataType.INT32, ir.DataType.INT64, ir.DataType.FLOAT, ir.DataType.BOOL
STEPS = st.sampled_from(["cast", "turn", "look up", "compare", "not", "add", "expand", "squeeze"])


@examples
@given(steps=st.lists(st.tuples(STEPS, st.integers(0, 3)), min_size=3, max_size=14), data=st.data())
def test_never_changes_what_a_graph_of_integers_computes(steps, data):
    """A random walk from ids [2, 3]: each step reads any of the values so far."""
    graph = Graph()
    values = [graph.describe(graph.op("Cast", ids_input(graph), to=INT32), (2, 3), "int32")]
    for step, choice in steps:
        values.append(_step(graph, data.draw(st.sampled_from(values)), step, choice))
    outputs = [graph.op("Cast", value, to=FLOAT) for value in values[-2:]]
    model = model_of(graph, *outputs)
    ids = np.array([[3, 0, 2], [1, 1, 0]])
    optimised = optimise(model)
    assert len(optimised.graph) <= len(model.graph)
    for now, then in zip(run(optimised, ids), run(model, ids), strict=True):
        np.testing.assert_array_equal(now, then)


def _step(graph: Graph, x: ir.Value, step: str, choice: int) -> ir.Value:
    """One more node, of a known type and shape."""
    shape, dtype = tuple(x.shape), ir.DataType(x.dtype)
    match step:
        case "cast":
            to = (INT32, INT64, FLOAT, BOOL)[choice]
            return _described(graph, graph.op("Cast", x, to=to), shape, to)
        case "turn":
            order = np.random.default_rng(choice).permutation(len(shape)).tolist()
            return _described(graph, graph.op("Transpose", x, perm=order), [shape[axis] for axis in order], dtype)
        case "look up" if dtype in (INT32, INT64) and len(shape) < 5:
            rows = graph.op("Gather", np.arange(8, dtype=np.int64).reshape(4, 2) % 4, graph.op("Mod", x, _like(4, x)))
            return _described(graph, rows, (*shape, 2), INT64)
        case "compare" if dtype != BOOL:
            return _described(graph, graph.op(("Less", "Equal")[choice % 2], x, _like(choice, x)), shape, BOOL)
        case "not" if dtype == BOOL:
            return _described(graph, graph.op("Not", x), shape, BOOL)
        case "add" if dtype != BOOL:
            return _described(graph, graph.op("Add", x, _like(choice, x)), shape, dtype)
        case "expand" if len(shape) < 5:
            return _described(graph, graph.op("Unsqueeze", x, [0]), (1, *shape), dtype)
        case "squeeze" if shape[0] == 1:
            return _described(graph, graph.op("Squeeze", x, [0]), shape[1:], dtype)
    return x


def _like(number: int, x: ir.Value) -> ir.Value:
    return np.array(number, ir.DataType(x.dtype).numpy())


def _described(graph: Graph, value: ir.Value, shape: tuple[int, ...] | list[int], dtype: ir.DataType) -> ir.Value:
    return graph.describe(value, shape, dtype.numpy().name)


@examples
@given(
    masked=st.booleans(),
    stack=st.lists(st.sampled_from(["lstm", "gru", "bilstm", "dropout", "dense"]), max_size=3),
    pooling=st.sampled_from(["last", "mean", "max"]),
)
def test_never_changes_what_a_classifier_computes(masked, stack, pooling):
    keras.utils.set_random_seed(0)
    made = {
        "lstm": lambda: layers.LSTM(4, return_sequences=True),
        "gru": lambda: layers.GRU(3, return_sequences=True),
        "bilstm": lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        "dropout": lambda: layers.Dropout(0.5),
        "dense": lambda: layers.Dense(4, activation="tanh"),
    }
    ends = {"last": lambda: layers.LSTM(4), "mean": layers.GlobalAveragePooling1D, "max": layers.GlobalMaxPooling1D}
    body = [made[name]() for name in stack]
    first = layers.Embedding(10, 4, mask_zero=masked and pooling != "max")  # which Keras warns of
    model = randomize(keras.Sequential([keras.Input((None,), dtype="int32"), first, *body, ends[pooling]()]))
    lowered = lower_model(model)
    optimised = optimise(lowered)
    ids = ragged().astype(np.int64)
    np.testing.assert_allclose(run(optimised, ids)[0], run(lowered, ids)[0], rtol=1e-6, atol=1e-6)
    assert len(optimised.graph) < len(lowered.graph)
    assert str(optimised.graph.outputs[0].shape[0]) == "batch_size"


def test_an_embedded_lstm_is_as_short_as_it_can_be():
    model = keras.Sequential([keras.Input((None,), dtype="int32"), layers.Embedding(9, 4), layers.LSTM(4)])
    lowered = lower_model(model)
    before = ir.to_proto(lowered).SerializeToString()
    assert operators(optimise(lowered)) == ["Transpose", "Gather", "LSTM", "Squeeze"]
    assert ir.to_proto(lowered).SerializeToString() == before  # left as it was


def test_what_two_nodes_compute_alike_is_computed_once():
    graph = Graph()
    ids = ids_input(graph)
    once, again = (graph.op("Gather", graph.weight(name, np.eye(4, dtype=np.float32)), ids) for name in "ab")
    optimised = optimise(model_of(graph, graph.op("Add", once, again)))
    assert operators(optimised) == ["Gather", "Add"]
    assert len(optimised.graph.initializers) == 1


def test_arithmetic_on_constants_is_done_beforehand():
    graph = Graph()
    x = graph.input("x", FLOAT, ["batch", 2, 3])
    sizes = graph.op("Concat", [-1], graph.op("Mul", graph.op("Shape", x, start=1, end=2), [3]), axis=0)
    model = model_of(graph, graph.op("Reshape", x, sizes))
    optimised = optimise(model)
    assert operators(optimised) == ["Reshape"]
    np.testing.assert_array_equal(run(optimised, numbers(4, 2, 3))[0], numbers(4, 2, 3).reshape(4, 6))


@pytest.mark.parametrize("repeated", [False, True])
def test_inputs_and_outputs_keep_their_names(repeated):
    ids = keras.Input((None,), dtype="int32", name="ids")
    embedded = layers.Embedding(9, 4, name="embedded")(ids)
    model = keras.Model(ids, [embedded, embedded if repeated else ids])
    optimised = optimise(lower_model(model, output_names=["rows", "more"]))
    assert [value.name for value in optimised.graph.inputs] == ["ids"]
    assert [value.name for value in optimised.graph.outputs] == ["rows", "more"]
    results = run(optimised, np.array([[1, 2]]))
    np.testing.assert_array_equal(results[1], results[0] if repeated else [[1, 2]])

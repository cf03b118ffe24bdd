import numpy as np
import onnx_ir as ir
from hypothesis import given
from hypothesis import strategies as st

from kerasllm.export.causal.quantized import quantize_causal
from kerasllm.export.graph import Graph
from kerasllm.export.quantization.rounding import round_factor
from tests.export.parity import examples, numbers, session_of


def products(*weights, bias=None):
    """A graph of x [batch, sequence, in] times each weight [in, out], in int8."""
    graph = Graph(portable=False)
    x = graph.input("x", ir.DataType.FLOAT, ("batch", "sequence", len(weights[0])))
    outputs = []
    for index, weight in enumerate(weights):
        y = graph.op("MatMul", x, graph.weight(f"kernel_{index}", weight))
        outputs.append(y if bias is None else graph.op("Add", y, graph.weight("bias", bias)))
    for index, output in enumerate(outputs):
        output.name, output.type = f"y{index}", ir.TensorType(ir.DataType.FLOAT)
        output.shape = ir.Shape(["batch", "sequence", weights[index].shape[1]])
    body = ir.Graph(
        graph.inputs,
        outputs,
        nodes=graph.nodes,
        initializers=tuple(graph.initializers.values()),
        opset_imports={"": 21},
        name="products",
    )
    return quantize_causal(ir.Model(body, ir_version=10), lambda name: 8)[0]


def by_hand(x, weight):
    """The oracle: whole numbers of tokens and columns, multiplied and scaled back."""
    largest = np.maximum(np.abs(x).max(-1, keepdims=True), 1e-30)
    whole = np.rint(x / largest * 127)
    rounded, scales = round_factor(weight)
    return whole @ rounded.astype(np.float64) * (largest / 127) * scales


@examples
@given(tokens=st.integers(1, 9), width=st.integers(2, 40), out=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_product_is_that_of_whole_numbers_times_both_scales(tokens, width, out, seed):
    x, weight, bias = numbers(2, tokens, width, seed=seed), numbers(width, out, seed=seed + 1), numbers(out)
    x[0, 0] *= 1000
    x[1, 0] = 0
    (y,) = session_of(products(weight, bias=bias)).run(None, {"x": x})
    largest = np.abs(by_hand(x, weight)).max(-1, keepdims=True)
    # A value halfway between two whole numbers may be rounded either way.
    assert np.all(np.abs(y - bias - by_hand(x, weight)) <= 0.02 * largest + 1e-5)
    assert np.array_equal(y[1, 0], bias)


def test_a_token_is_multiplied_alone_to_the_bit():
    x, session = numbers(3, 17, 48), session_of(products(numbers(48, 33, seed=1)))
    (together,) = session.run(None, {"x": x})
    for row in range(3):
        for token in range(17):
            np.testing.assert_array_equal(
                session.run(None, {"x": x[row : row + 1, token : token + 1]})[0][0, 0], together[row, token]
            )


def test_a_value_of_several_products_is_quantized_once():
    model = products(numbers(8, 4), numbers(8, 6, seed=1), numbers(8, 2, seed=2))
    kinds = [node.op_type for node in model.graph]
    assert (kinds.count("QuantizeLinear"), kinds.count("MatMulIntegerToFloat")) == (1, 3)

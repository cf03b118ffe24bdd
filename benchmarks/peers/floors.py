"""What no graph can beat on this machine: how fast onnxruntime multiplies matrices, and how fast memory is read."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

_SIZES = [(128, 768, 3072), (128, 3072, 768), (512, 768, 3072), (2048, 2048, 2048)]  # rows, in, out
_SECONDS = 0.4  # for each product


def gemm_rates(threads: int) -> dict[str, float]:
    """The best rate of each kind of matrix product, over sizes that encoders have.

    Args:
        threads: Threads of one product.

    Returns:
        "fp32" and "int8" (uint8 by int8, from MatMulInteger and DynamicQuantizeMatMul): 10^9 operations a second.
    """
    rates = {"fp32": 0.0, "int8": 0.0}
    for rows, inner, columns in _SIZES:
        for name, kind in (("MatMul", "fp32"), ("MatMulInteger", "int8"), ("DynamicQuantizeMatMul", "int8")):
            seconds = _best(_product(name, rows, inner, columns, threads), _SECONDS)
            rates[kind] = max(rates[kind], 2e-9 * rows * inner * columns / seconds)
    return rates


def read_rate(size: int, threads: int, seconds: float) -> float:
    """The best rate at which an array is read, again and again, as a decoder reads its weights for each token.

    Args:
        size: Bytes of the array; what of it stays in a cache is read faster, as with weights of that size.
        threads: Threads that read parts of it at once.
        seconds: Time to take.

    Returns:
        Bytes a nanosecond, which is 10^9 a second.
    """
    parts = np.array_split(np.ones(size // 4, np.float32), threads)
    with ThreadPoolExecutor(threads) as pool:
        return 1e-9 * size / _best(lambda: list(pool.map(np.max, parts)), seconds)


def _product(operator: str, rows: int, inner: int, columns: int, threads: int) -> Callable[[], object]:
    draw = np.random.default_rng(0)
    integer = operator == "MatMulInteger"
    x = draw.integers(0, 255, (rows, inner)).astype(np.uint8) if integer else draw.normal(size=(rows, inner))
    weight = draw.normal(size=(inner, columns)) if operator == "MatMul" else draw.integers(-64, 64, (inner, columns))
    constants = {"w": weight.astype(np.float32 if operator == "MatMul" else np.int8)}
    if operator == "DynamicQuantizeMatMul":
        constants["scale"] = np.full(columns, 0.01, np.float32)
    feed = x if integer else x.astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", *constants], ["y"], domain="com.microsoft" if "Dynamic" in operator else "")],
        "product",
        [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(feed.dtype), feed.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT32 if integer else TensorProto.FLOAT, [rows, columns])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": feed})


def _best(run: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest run, of those that the time is enough for."""
    run()
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best

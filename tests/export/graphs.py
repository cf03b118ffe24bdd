"""Small ONNX graphs by hand, and what onnxruntime computes from them with its own optimisations off."""

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from onnx_ir.passes import common

from kerasllm.export.graph import CONTRIB, IR_VERSION, OPSET, Graph


def model_of(graph: Graph, *outputs: ir.Value) -> ir.Model:
    """A model of the nodes so far; outputs are float32 where they have no type."""
    for value in outputs:
        value.type = value.type or ir.TensorType(ir.DataType.FLOAT)
    body = ir.Graph(
        graph.inputs,
        list(outputs),
        nodes=graph.nodes,
        initializers=tuple(graph.initializers.values()),
        opset_imports={"": OPSET, CONTRIB: 1},
        name="by_hand",
    )
    model = ir.Model(body, ir_version=IR_VERSION)
    common.ShapeInferencePass()(model)  # the checker wants shapes of outputs
    return model


def run(model: ir.Model, *inputs: np.ndarray, level: str = "DISABLE_ALL", **entries: str) -> list[np.ndarray]:
    """Checks a model, loads it on one thread and runs it on inputs in order."""
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_{level}")
    for key, value in entries.items():
        options.add_session_config_entry(key.replace("__", "."), value)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names: list[Any] = [meta.name for meta in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def operators(model: ir.Model) -> list[str]:
    """The names of a graph's operators, in order."""
    return [node.op_type for node in model.graph]


def ids_input(graph: Graph) -> ir.Value:
    """The graph input `ids`, int64 [batch, sequence]."""
    return graph.input("ids", ir.DataType.INT64, ["batch", "sequence"])


def float_input(graph: Graph, *shape: int | str) -> ir.Value:
    """The graph input `x`, float32."""
    return graph.input("x", ir.DataType.FLOAT, shape)

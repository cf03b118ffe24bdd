"""A decoder's graph in float16, for GPUs: weights, keys and values, and all between; logits stay float32."""

import numpy as np
import onnx_ir as ir


def to_half(model: ir.Model) -> ir.Model:
    """The same graph with every float32 value but the logits in float16; the model given is left as it is.

    Raises:
        OverflowError: A weight is larger than float16 can hold.
    """
    model = model.clone()
    graph = model.graph
    for value in list(graph.initializers.values()):
        if value.dtype == ir.DataType.FLOAT and value.const_value is not None:
            array = value.const_value.numpy()
            half = np.clip(array, np.finfo(np.float16).min, np.finfo(np.float16).max).astype(np.float16)
            if np.abs(array - half).max(initial=0) > 1 + 1e-3 * np.abs(array).max(initial=0):
                raise OverflowError(f"float16 holds numbers up to 65504. Received: larger ones in {value.name}.")
            value.const_value = ir.tensor(half, name=value.name)
            value.dtype = ir.DataType.FLOAT16
    for node in graph:
        if node.op_type == "Cast" and node.attributes.get_int("to") == ir.DataType.FLOAT:
            node.attributes["to"] = ir.AttrInt64("to", int(ir.DataType.FLOAT16))
        for output in node.outputs:
            if output.dtype == ir.DataType.FLOAT:
                output.dtype = ir.DataType.FLOAT16
    for value in [*graph.inputs, *graph.outputs]:
        if value.dtype == ir.DataType.FLOAT:
            value.dtype = ir.DataType.FLOAT16
    logits = graph.outputs[0]
    cast = ir.node("Cast", [logits], {"to": ir.DataType.FLOAT})
    name, logits.name = logits.name, f"{logits.name}_half"
    cast.outputs[0].name, cast.outputs[0].shape = name, logits.shape
    cast.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    graph.append(cast)
    graph.outputs[0] = cast.outputs[0]
    return model

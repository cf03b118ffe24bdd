"""The end of a classifier's graph: logits for every label, whatever the Keras model ends in.

Every client of a classification bundle applies softmax (or, multi-label, a sigmoid) to `logits` [batch, labels], or of
each token [batch, sequence, labels].
So what the model itself applies at its end comes off, and the one score of two labels becomes two.
"""

import numpy as np
import onnx_ir as ir

from .errors import ExportError
from .signature import Signature

_OPERATORS = {"softmax": "Softmax", "sigmoid": "Sigmoid"}


def expose_logits(model: ir.Model, signature: Signature) -> None:
    """Makes the graph's output the logits, in place; nodes that nobody reads any more are left to the clean-up.

    Rules:
        1. A last Softmax or Sigmoid that the Keras model applies is cut off.
        2. One score z of two labels becomes [0, z]: softmax([0, z]) is [1 - sigmoid(z), sigmoid(z)].

    Args:
        model: A lowered model; where anything is to be done, with one output, float32 [batch, labels], [batch, 1] or
            [batch, sequence, labels].
        signature: What its Keras model applies at its end, and whether it has one score for two labels.

    Raises:
        ExportError: The graph does not end in what the model's last layer says.
    """
    if signature.applied == "none" and not signature.one_for_two:
        return
    (output,) = model.graph.outputs
    scores = output
    if signature.applied != "none":
        scores = _before_last(output, _OPERATORS[signature.applied])
    if signature.one_for_two:
        scores = _with_zero(model.graph, scores)
    if scores is not output:
        name, output.name = output.name, f"{output.name}_of_model"
        model.graph.outputs[0] = scores
        scores.name, scores.type = name, output.type


def _before_last(output: ir.Value, operator: str) -> ir.Value:
    """What the last operator reads."""
    node = output.producer()
    scores = node.inputs[0] if node is not None and node.op_type == operator else None
    if scores is None:
        raise ExportError(
            f"The graph must end in {operator}, as the model's last layer says. Received: "
            f"{node.op_type if node is not None else 'no operator'}. Say what is still to be applied to the output "
            "(activation, --activation: softmax, sigmoid or none)."
        )
    return scores


def _with_zero(graph: ir.Graph, scores: ir.Value) -> ir.Value:
    """[batch, 1] -> [batch, 2], zeros first."""
    pads = ir.tensor(np.array([0, 1, 0, 0], np.int64), name="one_column_before")
    constant = ir.Value(name=pads.name, type=ir.TensorType(pads.dtype), shape=ir.Shape([4]), const_value=pads)
    graph.register_initializer(constant)
    node = ir.node("Pad", [scores, constant], name="two_labels")
    node.outputs[0].shape = ir.Shape([None, 2])
    graph.append(node)
    return node.outputs[0]

"""From float32 to int8: each operator that holds a weight takes the form that is small, fast and true on every CPU."""

from collections.abc import Callable, Sequence

import onnx_ir as ir
from onnx_ir.passes import common

from ..graph import CONTRIB
from ..passes.axes import infer_shapes
from .calibration import Feed, fix_ranges
from .coverage import Coverage, KindCoverage, Level, Tally, initializer_bytes
from .products import quantize_gemm, quantize_matmul
from .recurrent import quantize_lstm
from .sharing import share_activations
from .storage import store_convolution, store_recurrent, store_rows
from .weights import Weights

__all__ = ["Coverage", "KindCoverage", "quantize"]

Rule = Callable[[ir.Node, Weights], list[ir.Node] | None]

# Which input tells whether a node holds a weight (the largest, where there are several), and what is made of the node.
_RULES: dict[str, tuple[int, Level, Rule]] = {
    "MatMul": (1, "computed", quantize_matmul),
    "Gemm": (1, "computed", quantize_gemm),
    "LSTM": (2, "computed", quantize_lstm),
    "GRU": (2, "stored", store_recurrent),
    "RNN": (2, "stored", store_recurrent),
    "Conv": (1, "stored", store_convolution),
    "Gather": (0, "stored", store_rows),
}
_PORTABLE_RULES: dict[str, tuple[int, Level, Rule]] = {"LSTM": (2, "stored", store_recurrent)}
# Elements of a weight from which int8 pays. Below, quantizing the activations takes longer than the product does (an
# LSTM of 32 units, a MatMul of 64 x 64: even), and there is no file size to gain.
_WORTHWHILE = 4096


def quantize(model: ir.Model, *, calibration: Sequence[Feed] = (), portable: bool = False) -> tuple[ir.Model, Coverage]:
    """Quantizes the weights of a model to int8, and the computing with them where onnxruntime has a kernel for it.

    Nothing needs to be known of the data: activations are quantized by their range as they come, to uint8. With
    samples of the data their ranges are fixed beforehand instead: see `calibration`. Weights are rounded so that
    products are exact on CPUs without VNNI too: see `rounding`.

    Args:
        model: A float32 model, as `lower_model` makes it; best after `optimise`. It is left as it is.
        calibration: Samples of the model's inputs by name, of which the ranges are taken; none: dynamic ranges.
        portable: Whether to use standard ONNX operators only, for runtimes other than onnxruntime.

    Returns:
        The int8 model (with operators of onnxruntime's own domain unless portable), and what became of each operator.

    Raises:
        ExportError: A weight is not finite, or a sample gives a value that is not.
        ValueError: A sample does not fit the inputs, or there are samples for a portable model.
    """
    if calibration and portable:
        raise ValueError(
            "Only onnxruntime's own operators take fixed ranges here. Received: calibration samples and portable=True. "
            "Leave one of them out."
        )
    before = initializer_bytes(model.graph)
    model = model.clone()
    weights = Weights(model.graph, portable=portable)
    tallies: dict[str, Tally] = {}
    rules = _RULES | _PORTABLE_RULES if portable else _RULES
    for node in list(model.graph.all_nodes()):
        if node.domain == "" and node.op_type in rules:
            position, level, rule = rules[node.op_type]
            array = weights.array(weights.source(node.inputs[position])[0])
            if array is not None:
                replacement = rule(node, weights) if array.size >= _WORTHWHILE else None
                tally = tallies.setdefault(node.op_type, Tally())
                tally.add(level if replacement else "kept", [node], replacement or [node])
                if replacement:
                    _replace(node, replacement)
    if calibration:
        fix_ranges(model, calibration)
    share_activations(model.graph)
    _tidy(model)
    return model, _coverage(tallies, before, initializer_bytes(model.graph))


def _replace(node: ir.Node, replacement: list[ir.Node]) -> None:
    """Puts nodes in the place of one; the last of them gives its outputs."""
    last = replacement[-1]
    for index, new in enumerate(replacement):
        new.name = node.name if new is last else f"{node.name}/{new.op_type}_{index}"
        for output in new.outputs if new is not last else ():
            output.name = new.name if len(new.outputs) == 1 else f"{new.name}:{output.index()}"
    graph = node.graph
    if graph is None:
        raise ValueError(f"Only a node of a graph can be replaced. Received: {node.name!r}.")
    ir.convenience.replace_nodes_and_values(graph, node, [node], replacement, node.outputs, last.outputs)


def _tidy(model: ir.Model) -> None:
    if any(node.domain == CONTRIB for node in model.graph.all_nodes()):
        model.graph.opset_imports.setdefault(CONTRIB, 1)
    common.CommonSubexpressionEliminationPass()(model)
    common.RemoveUnusedNodesPass()(model)
    infer_shapes(model)


def _coverage(tallies: dict[str, Tally], before: int, after: int) -> Coverage:
    kinds = {kind: tally.coverage() for kind, tally in sorted(tallies.items())}
    return Coverage(
        quantized=sum(kind.computed + kind.stored for kind in kinds.values()),
        total=sum(kind.computed + kind.stored + kind.kept for kind in kinds.values()),
        bytes_before=before,
        bytes_after=after,
        kinds=kinds,
    )

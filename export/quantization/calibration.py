"""Static int8: the ranges of the activations are fixed beforehand, from what sample texts give.

`DynamicQuantizeMatMul` takes the range of each batch as it comes: a text's answer moves with its batch mates. With the
ranges fixed it does not, one rounded tensor serves all products that read it, and finding the range costs nothing.
What lies outside of a range is clipped: each range is the one with the least squared error over all samples, of the
clipped and of the rounded values together. (The widest range seen, and one that clips 1 in 10,000 values, gave sentence
embeddings as close to fp32 within 0.0005 of cosine: benchmarks/LOG.md.)
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
import onnx_ir as ir

from ...extras import require
from ..errors import ExportError
from ..graph import CONTRIB
from .weights import Weights

Feed = Mapping[str, np.ndarray]

_BINS = 2048  # narrower than any step that is tried
# Shares of the widest range to try at either end.
_SHARES = np.linspace(0.2, 1.0, 17)
_LEVELS = 255  # steps of uint8


def fix_ranges(model: ir.Model, feeds: Sequence[Feed]) -> None:
    """Makes the dynamic products of a model static, in place.

    Each becomes QuantizeLinear (one for all that read the same value) and MatMulIntegerToFloat. Those in a branch or
    loop stay dynamic, and so do recurrent operators, for which onnxruntime has no static kernel.

    Args:
        model: A model after dynamic quantization.
        feeds: Inputs of the model, by name, as many as tell the ranges well (100 texts do). Texts without padding are
            best: what padding gives would count too.

    Raises:
        ExportError: A sample gives a value that is not finite.
        ValueError: There are no samples, or they do not fit the inputs.
    """
    nodes = [node for node in model.graph if node.op_type == "DynamicQuantizeMatMul"]
    values = {node.inputs[0].name: node.inputs[0] for node in nodes if node.inputs[0] is not None}
    ranges = observe(model, [str(name) for name in values], feeds)
    constants = Weights(model.graph)
    rounded: dict[str, list[ir.Value]] = {}
    for node in nodes:
        x, weight, weight_scale, _, bias = [*node.inputs, None][:5]
        name = str(x.name)  # type: ignore[union-attr]
        before = []
        if name not in rounded:
            scale, zero = (constants.add(f"{name}_{part}", array) for part, array in _step(*ranges[name]).items())
            before = [ir.node("QuantizeLinear", [x, scale, zero], name=f"{name}/quantize")]
            before[0].outputs[0].name = f"{name}_uint8"
            rounded[name] = [before[0].outputs[0], scale, zero]
        ids, scale, zero = rounded[name]
        inputs = [ids, weight, scale, weight_scale, zero, None, bias]
        after = ir.node("MatMulIntegerToFloat", inputs, domain=CONTRIB, name=node.name)
        ir.convenience.replace_nodes_and_values(
            model.graph, node, [node], [*before, after], node.outputs, after.outputs
        )


def observe(model: ir.Model, names: Sequence[str], feeds: Sequence[Feed]) -> dict[str, tuple[float, float]]:
    """The range of each value that rounds it best.

    Args:
        model: The model; it is left as it is.
        names: Float values of its main graph.
        feeds: Inputs by name.

    Returns:
        Lowest (0 or less) and highest (0 or more) of each value.

    Raises:
        ExportError: A sample gives a value that is not finite.
        ValueError: There are no samples, or they do not fit the inputs.
    """
    if not feeds:
        raise ValueError("Ranges need at least one sample to be observed on. Received: none. Quantize without them.")
    run = _runner(model, names)
    lows, highs = np.zeros(len(names)), np.zeros(len(names))
    for feed in feeds:
        for index, array in enumerate(run(feed)):
            if not np.isfinite(array).all():
                raise ExportError(
                    f"Ranges can be observed on finite values only. Received: {names[index]!r} with NaN or infinity "
                    "in it, for a calibration sample. Leave that sample out, or quantize without calibration."
                )
            lows[index], highs[index] = min(lows[index], array.min()), max(highs[index], array.max())
    counts = np.zeros((len(names), _BINS))
    for feed in feeds:
        for index, array in enumerate(run(feed)):
            counts[index] += np.histogram(array, _BINS, (lows[index], _above(lows[index], highs[index])))[0]
    return {
        name: best_range(counts[index], lows[index], _above(lows[index], highs[index]))
        for index, name in enumerate(names)
    }


def best_range(counts: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """The range with the least squared error when values are clipped to it and rounded to 256 levels.

    Args:
        counts: A histogram: how many values each of equal bins between `low` and `high` has.
        low: Lower edge of the first bin, 0 or less.
        high: Upper edge of the last bin, 0 or more.

    Returns:
        The ends of the range, which holds 0.
    """
    edges = np.linspace(low, high, len(counts) + 1)
    centres = (edges[1:] + edges[:-1]) / 2

    def error(ends: tuple[float, float]) -> float:
        step = (ends[1] - ends[0]) / _LEVELS
        zero = np.rint(-ends[0] / step)
        rounded = (np.clip(np.rint(centres / step) + zero, 0, _LEVELS) - zero) * step
        return float(counts @ np.square(rounded - centres))

    lows = _SHARES * low if low < 0 else [0.0]
    highs = _SHARES * high if high > 0 else [0.0]
    return min(((float(a), float(b)) for a, b in product(lows, highs)), key=error)


def _runner(model: ir.Model, names: Sequence[str]) -> Callable[[Feed], list[np.ndarray]]:
    """Runs the model on a feed, for the values of these names."""
    onnxruntime = require("serving", "onnxruntime")
    model = model.clone()
    values = {value.name: value for node in model.graph for value in node.outputs}
    inputs = {str(value.name) for value in model.graph.inputs}
    known = {value.name for value in model.graph.outputs}
    for name in names:
        if name not in known and name not in inputs:
            model.graph.outputs.append(values[name])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )

    def run(feed: Feed) -> list[np.ndarray]:
        if set(feed) != inputs:
            raise ValueError(f"A sample must have the inputs {sorted(inputs)}. Received: {sorted(feed)}.")
        computed = [name for name in names if name not in inputs]
        found = dict(zip(computed, session.run(computed, dict(feed)), strict=True)) if computed else {}
        return [found[name] if name in found else feed[name] for name in names]

    return run


def _above(low: float, high: float) -> float:
    """The upper end of a histogram, which has to be above its lower one."""
    return high if high > low else low + 1.0


def _step(low: float, high: float) -> dict[str, np.ndarray]:
    """Scale and zero point of a range that holds 0."""
    scale = np.float32((high - low) / _LEVELS)
    return {"scale": np.asarray(scale), "zero": np.asarray(np.clip(np.rint(-low / scale), 0, _LEVELS), np.uint8)}

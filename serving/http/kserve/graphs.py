"""Token ids in, what the graph itself gives out."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from ...rows import Row
from ..models import ServedModel
from .signature import Declared
from .tensors import Tensor

# Values of all outputs of a request: 32 MB.
MOST_VALUES = 2**23


def run_graph(model: ServedModel, tensors: Mapping[str, Tensor], wanted: Sequence[Declared]) -> list[Tensor]:
    """Runs the graph of a model.

    Args:
        model: An encoder or a decoder.
        tensors: Its inputs by the graph's names, [rows, length] each. Those of masks and segments may be left out: then
            every token counts, and belongs to the first text.
        wanted: Outputs of the graph.

    Returns:
        The outputs, float32 [rows, ...] or [rows, length, ...]; of places that are masked, 0.

    Raises:
        ValueError: The inputs do not fit together, or the model cannot read them, or the outputs would be too large.
    """
    roles = {name: role for role, name in model.manifest.inputs.items()}
    arrays = {roles[name]: tensor.values for name, tensor in tensors.items()}
    rows, mask = _rows(model, arrays)
    _check_size(mask.shape, wanted)
    if model.engine is not None:
        results = [{wanted[0].name: model.served.graph.logits(row.ids)} for row in rows] if wanted else []
    else:
        try:
            results = model.served.graph.run_all(rows, [each.name for each in wanted])
        except InvalidArgument:
            raise ValueError("The graph cannot read these inputs: one is out of its range.") from None
    return [_joined(model, each.name, [result[each.name] for result in results], mask) for each in wanted]


def _rows(model: ServedModel, arrays: Mapping[str, np.ndarray]) -> tuple[list[Row], np.ndarray]:
    """A row of each text, and which places are tokens: booleans [rows, length]."""
    if "input_ids" not in arrays:
        raise ValueError(f"The model needs {model.manifest.inputs['input_ids']}. It is not among the inputs.")
    ids = arrays["input_ids"]
    if ids.ndim != 2 or any(array.shape != ids.shape for array in arrays.values()):
        raise ValueError(
            f"The inputs of a graph must be [rows, length] alike. Received: {list(ids.shape)} among others."
        )
    most = model.served.preprocessing.max_length
    if ids.shape[1] > most:
        raise ValueError(f"The model reads up to {most} tokens of a row. Received: {ids.shape[1]}.")
    mask = _mask(arrays.get("attention_mask", np.ones_like(ids)), model.served.preprocessing.padding_side)
    _check_ids(model, ids[mask])
    types = arrays.get("token_type_ids")
    if types is not None and not np.isin(types, (0, 1)).all():
        raise ValueError("Segments must be 0 or 1. Received: others.")
    places = range(len(ids))
    return [Row(ids[i][mask[i]], None if types is None else types[i][mask[i]]) for i in places], mask


def _mask(values: np.ndarray, side: str) -> np.ndarray:
    """The mask as booleans, if it is one that padding makes."""
    mask = values == 1
    steps = np.diff(mask.astype(np.int8), axis=1)
    wrong = steps > 0 if side == "right" else steps < 0
    if not (mask | (values == 0)).all() or wrong.any() or not mask.any(axis=1).all():
        raise ValueError(
            f"A mask must be 1 for tokens, one at least in each row, and 0 for padding, which goes to the {side}. "
            "Received: another one."
        )
    return mask


def _check_ids(model: ServedModel, ids: np.ndarray) -> None:
    """Whether the model has tokens of these numbers: a graph would read outside its table."""
    low, high = int(ids.min()), int(ids.max())
    if model.engine is not None:
        known = high < model.served.graph.vocab_size
    else:
        known = high < 2**31 and model.served.tokenizer.id_to_token(max(high, 0)) is not None
    if low < 0 or not known:
        raise ValueError(f"Token ids must be those of the model's tokenizer. Received: {low if low < 0 else high}.")


def _check_size(shape: Sequence[int], wanted: Sequence[Declared]) -> None:
    """Whether the outputs are small enough: [rows, length] and what the graph declares of further axes."""
    values = sum(math.prod(shape) * math.prod(max(1, size) for size in each.shape[2:]) for each in wanted)
    if values > MOST_VALUES:
        raise ValueError(f"The outputs may have {MOST_VALUES:,} values in all. They would have {values:,}: send less.")


def _joined(model: ServedModel, name: str, values: Sequence[np.ndarray], mask: np.ndarray) -> Tensor:
    """What was given for each row, as one tensor."""
    if model.engine is None and name not in model.served.graph.per_token:
        return Tensor(name=name, datatype="FP32", values=np.stack(values))
    together = np.zeros((*mask.shape, *values[0].shape[1:]), np.float32)
    together[mask] = np.concatenate(values)
    return Tensor(name=name, datatype="FP32", values=together)

"""An operation seen from inside: its `call`, traced on symbolic inputs, is a graph of smaller operations."""

import inspect
from typing import Any

import keras
import onnx_ir as ir

from .graph import dimensions, keras_dtype

# The traced graph, the values that feed it, and for each output of the operation the index (among the traced graph's
# outputs) of the mask that it carries, or None.
Traced = tuple[Any, list[ir.Value], list[int | None]]


def expand(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced | None:
    """Traces an operation's `call` into a graph of operations.

    Args:
        operation: A layer, a nested model included.
        args: Its call arguments, with ONNX values where tensors stood.
        kwargs: Likewise.

    Returns:
        The traced graph with what feeds it, or None where the call cannot be traced: it is not a layer, it uses a
        dynamic size as a number, or it is made of a backend's own functions.
    """
    if not isinstance(operation, keras.layers.Layer):
        return None
    values: list[ir.Value] = []
    inputs: list[keras.KerasTensor] = []

    def stand_in(item: Any) -> Any:
        if not isinstance(item, ir.Value):
            return item
        values.append(item)
        inputs.append(keras.Input(batch_shape=dimensions(item), dtype=keras_dtype(item)))
        return inputs[-1]

    call_args, call_kwargs = keras.tree.map_structure(stand_in, (list(args), dict(kwargs)))
    if "training" in inspect.signature(operation.call).parameters:
        call_kwargs["training"] = False
    try:
        outputs = keras.tree.flatten(operation.call(*call_args, **call_kwargs))
        masks = [getattr(tensor, "_keras_mask", None) for tensor in outputs]
        shown = [mask for mask in masks if mask is not None]
        function = keras.Function(inputs, [*outputs, *shown])
    except Exception:  # whatever a user's `call` raises on symbolic tensors: there are other roads
        return None
    places = iter(range(len(outputs), len(outputs) + len(shown)))
    return function, values, [None if mask is None else next(places) for mask in masks]

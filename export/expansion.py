"""A model seen from inside: its graph, opened until each operation in it has a lowering of its own.

Keras traces a model once, when it is built, and hides things there: what a nested model or a composite layer does
inside, the casts that a layer makes of its inputs, and the masks that ride on tensors, which at run time go further
than the traced graph shows. So the graph is replayed here call by call, as Keras itself would run it, on symbolic
tensors: masks are handed over by name, and a layer that has no lowering is replaced by what its `call` is made of.
"""

import inspect
from dataclasses import dataclass, field
from typing import Any

import keras

from .errors import ExportError
from .lowering import lowering_of
from .tracing import Tensors, Traced, between, grouped_convolutions, mask_of, trace, unless_the_same


@dataclass
class Expanded:
    """A graph of operations that each have a lowering, or that cannot be opened any further.

    Attributes:
        graph: The graph, on the model's own inputs.
        scopes: Where in the model an operation stands ("encoder/dense"), by the operation's id.
    """

    graph: Traced
    scopes: dict[int, str] = field(default_factory=dict)


def expand(function: Any) -> Expanded:
    """Opens a functional graph.

    Args:
        function: A functional model; it is left as it is.

    Returns:
        The same computation at inference (`training=False`), with every mask an explicit argument.

    Raises:
        ExportError: A layer inside calls another one with `training=True`, which is random or changes state.
    """
    scopes: dict[int, str] = {}
    with grouped_convolutions():
        outputs = _Replay(scopes, "", inference=True).run(between(function.inputs, function.outputs), function.inputs)
    return Expanded(between(function.inputs, outputs), scopes)


class _Replay:
    """Calls the operations of a graph again, on other tensors.

    Attributes:
        scopes: Grows: the name of each operation, after the layers that it stands in.
        scope: The layers around this graph.
        inference: Whether calls are told `training=False`, as a model tells its own layers.
    """

    def __init__(self, scopes: dict[int, str], scope: str, *, inference: bool) -> None:
        self.scopes, self.scope, self.inference = scopes, scope, inference

    def run(self, graph: Traced, inputs: Tensors) -> list[keras.KerasTensor]:
        """Replays `graph` on `inputs` and returns its outputs."""
        known = {id(tensor): value for tensor, value in zip(graph.inputs, inputs, strict=True)}
        for call in graph.calls:
            args, kwargs = call.arguments.fill_in(known)
            outputs = keras.tree.flatten(self._call(call.operation, tuple(args), dict(kwargs)))
            known.update(zip(map(id, call.outputs), outputs, strict=True))
        return [known[id(tensor)] for tensor in graph.outputs]

    def _call(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Calls one operation: as a whole if it has a lowering, else opened if it can be."""
        if not isinstance(operation, keras.layers.Layer):
            self.scopes[id(operation)] = self.scope
            if type(operation).__name__ in ("Cast", "ConvertToTensor"):
                return unless_the_same(lambda x, _: operation(x), args[0], operation.dtype)
            return operation(*args, **kwargs)
        args, kwargs = self._prepared(operation, args, kwargs)
        name = "/".join(filter(None, (self.scope, operation.name)))
        if lowering_of(operation, args, kwargs) is None:
            outputs = self._opened(operation, name, args, kwargs)
            if outputs is not None:
                return outputs
            _refuse_hidden_masks(operation, args, kwargs)
        self.scopes[id(operation)] = name
        return operation(*args, **kwargs)

    def _prepared(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
        """The arguments as the layer's `call` gets them: cast, with masks, not in training."""
        parameters = inspect.signature(layer.call).parameters
        if self.inference or "training" not in parameters:
            kwargs.pop("training", None)
        if kwargs.get("training"):
            raise ExportError(
                f"An exported model is a function of its inputs. Received: {layer.name!r} of class "
                f"{type(layer).__name__}, which is called with training=True. Pass `training` on from the layer around."
            )
        if "training" in parameters:
            kwargs["training"] = False

        def cast(tensor: Any) -> Any:
            converted = layer.dtype_policy.convert_input(tensor, layer.autocast, layer.input_dtype)
            if converted is not tensor and mask_of(tensor) is not None:
                converted._keras_mask = mask_of(tensor)
            return converted

        args, kwargs = keras.tree.map_structure(cast, (args, kwargs))
        return args, kwargs | _masks(layer, args, kwargs)

    def _opened(self, layer: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Replays what the layer's `call` is made of; None where that cannot be seen from its symbolic call."""
        arguments = inspect.signature(layer.call).bind(*args, **kwargs).arguments
        first = next(iter(arguments.values()), None)
        previous = kwargs["mask"] if kwargs.get("mask") is not None else keras.tree.map_structure(mask_of, first)
        traced = trace(layer, args, kwargs)
        if traced is None:
            return None
        inside, outputs = traced
        flat = keras.tree.flatten(outputs)
        shown = [mask_of(tensor) for tensor in flat]
        replayed = iter(_Replay(self.scopes, name, inference=False).run(inside, inside.inputs))
        flat = [next(replayed) for _ in flat]
        for tensor, mask in zip(flat, shown, strict=True):
            if mask is not None:
                tensor._keras_mask = next(replayed)
        outputs = keras.tree.pack_sequence_as(outputs, flat)
        if layer.supports_masking:
            _pass_masks_on(layer, first, outputs, previous)
        return outputs


def _is_tensor(item: Any) -> bool:
    return isinstance(item, keras.KerasTensor) or keras.ops.is_tensor(item)


def _masks(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The masks that Keras takes off the tensors where a call names none: `mask`, or `{argument}_mask` each."""
    bound = inspect.signature(layer.call).bind(*args, **kwargs)
    bound.apply_defaults()
    arguments = bound.arguments
    tensors = {
        name: item
        for name, item in arguments.items()
        if item is not None and (flat := keras.tree.flatten(item)) and all(x is None or _is_tensor(x) for x in flat)
    }
    wanted = {f"{name}_mask": item for name, item in tensors.items()}
    if len(tensors) == 1:
        wanted = {"mask": next(iter(tensors.values()))}
    return {
        name: keras.tree.map_structure(mask_of, item)
        for name, item in wanted.items()
        if name in arguments and arguments[name] is None
    }


def _pass_masks_on(layer: Any, first: Any, outputs: Any, previous: Any) -> None:
    """Gives the outputs the masks that the layer computes, unless its `call` gave them all one."""
    flat = keras.tree.flatten(outputs)
    if all(mask_of(tensor) is not None for tensor in flat):
        return
    masks = layer.compute_mask(first, previous)
    for tensor, mask in zip(flat, keras.tree.flatten(masks), strict=False):
        if mask_of(tensor) is None and mask is not None:
            tensor._keras_mask = mask


def _refuse_hidden_masks(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Refuses a layer that stays closed while layers inside it may see masks that ride on its inputs."""
    shown = {id(item) for item in keras.tree.flatten(kwargs)}
    tensors = keras.tree.flatten((args, kwargs))
    if layer._layers and any(mask_of(x) is not None and id(mask_of(x)) not in shown for x in tensors):
        raise ExportError(
            f"A layer that hands masks to layers inside it must be made of keras.ops. Received: {layer.name!r} of "
            f"class {type(layer).__name__}. Give its `call` a `mask` argument, or write it with keras.ops."
        )

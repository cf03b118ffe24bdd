"""Low-rank adaptation: thin matrices that are learned beside frozen ones, and merged into them for use.

Source: "LoRA: Low-Rank Adaptation of Large Language Models", Hu et al. 2021. The layers' own `enable_lora` does the
work; here is which layers, and how an ordinary model comes of it in the end.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def enable_lora(blocks: Sequence[Any], names: Sequence[str], *, rank: int, alpha: float) -> None:
    """Adds two thin matrices to dense layers, whose product, times alpha / rank, is added to their frozen kernel.

    Args:
        blocks: The layers inside which to look.
        names: The names of the `Dense` and `EinsumDense` layers that are meant.
        rank: Width of the thin matrices.
        alpha: Strength of their product.

    Raises:
        ValueError: A name fits none of them.
    """
    dense = [layer for block in blocks for layer in block._flatten_layers() if hasattr(layer, "lora_enabled")]
    found = {layer.name for layer in dense}
    for name in names:
        if name not in found:
            raise ValueError(
                f"`lora_layers` must be dense layers inside the encoder: {', '.join(sorted(found))}. Received: {name}."
            )
    for layer in dense:
        if layer.name in names and not layer.lora_enabled:
            layer.enable_lora(rank, lora_alpha=alpha)


def merged_weights(model: Any) -> list[np.ndarray]:
    """The weights of a model as its twin without LoRA has them: thin matrices added to the kernel they belong to.

    Args:
        model: A model, some layers of which may have LoRA enabled.

    Returns:
        What `get_weights()` of the same model without LoRA would be.
    """
    from keras import ops

    layers = [layer for layer in model._flatten_layers() if getattr(layer, "lora_enabled", False)]
    merged = {id(layer._kernel): layer.kernel for layer in layers}
    thin = {id(variable) for layer in layers for variable in (layer.lora_kernel_a, layer.lora_kernel_b)}
    weights = [variable for variable in model.weights if id(variable) not in thin]
    return [ops.convert_to_numpy(merged.get(id(variable), variable)) for variable in weights]

"""How a pretrained encoder or decoder is fine-tuned: which weights move at all, and how far those of each layer do.

A model's weights are seen as levels, from the bottom up: all that comes before the first transformer layer, each
transformer layer, all that comes after the last one (the head).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..checks import check_least
from ..extras import require
from ..models.lora import enable_lora


@dataclass(frozen=True, kw_only=True)
class TuningConfig:
    """Which of a pretrained model's weights are trained, and how."""

    layer_decay: float = 1.0
    """What the learning rate is multiplied by from a layer to the one below it: lower layers move less (1: alike)."""
    freeze_embeddings: bool = False
    """Keep the table of token embeddings as it is: less memory and time, mostly at no cost in accuracy."""
    freeze_layers: int = 0
    """Keep so many of the lowest layers as they are, and the embeddings below them."""
    lora_rank: int = 0
    """Learn a product of two thin matrices of this rank beside each chosen one, instead of the model's weights
    (0: the weights themselves). The saved model holds the sum."""
    lora_alpha: float = 16.0
    """What the product counts, times the rank."""
    lora_layers: tuple[str, ...] = ("query", "value")
    """Which dense layers of a transformer layer: query, key, value, attention_output,
    feedforward_intermediate_dense, feedforward_output_dense."""

    def __post_init__(self) -> None:
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"`layer_decay` must be above 0 and at most 1. Received: {self.layer_decay}.")
        check_least(self, 0, "freeze_layers", "lora_rank")
        if not self.lora_alpha > 0:
            raise ValueError(f"`lora_alpha` must be above 0. Received: {self.lora_alpha}.")


def levels(model: Any) -> list[list[Any]]:
    """The weights of a model from the bottom up, each weight once.

    Args:
        model: A functional `keras.Model` with KerasHub's transformer layers, also inside nested models.

    Returns:
        The variables below the first transformer layer, those of each transformer layer, those above the last. Layers
        that share their weights (ALBERT) are one level.

    Raises:
        ValueError: There is no transformer layer.
    """
    below: list[Any] = []
    layers: list[list[Any]] = []
    above: list[Any] = []
    seen: set[int] = set()
    for layer in _in_order(model):
        new = [variable for variable in layer.weights if id(variable) not in seen]
        seen.update(map(id, new))
        if _is_transformer(layer):
            below += above  # it was not above the last one
            above = []
            layers += [new] if new else []
        else:
            above += new
    if not layers:
        raise ValueError(
            f"Fine-tuning by layers needs a model with transformer layers. Received: {model.name}, which has none. "
            "Leave layer_decay, the freezing and LoRA off."
        )
    return [below, *layers, above]


def prepare(model: Any, config: TuningConfig) -> None:
    """Freezes weights and adds LoRA, in place.

    Args:
        model: As `levels` takes it; any model where nothing is frozen and there is no LoRA.
        config: What to freeze and to add.

    Raises:
        ValueError: More layers are to be frozen than there are, or LoRA finds no layer of the given names.
    """
    if config.lora_rank:
        _freeze(levels(model)[:-1])
        transformers = [layer for layer in _in_order(model) if _is_transformer(layer)]
        enable_lora(transformers, config.lora_layers, rank=config.lora_rank, alpha=config.lora_alpha)
    if config.freeze_layers:
        rungs = levels(model)
        if config.freeze_layers > len(rungs) - 2:
            raise ValueError(
                f"`freeze_layers` must be at most {len(rungs) - 2}, the model's transformer layers. "
                f"Received: {config.freeze_layers}."
            )
        _freeze(rungs[: config.freeze_layers + 1])
    if config.freeze_embeddings:
        embedding = require("train", "keras").layers.Embedding
        _freeze([layer.weights for layer in model._flatten_layers() if isinstance(layer, embedding)])


def learning_rate_factors(model: Any, decay: float) -> list[float]:
    """What the learning rate of each trainable variable is multiplied by: 1 for the head, `decay` a level below.

    Source: "Universal Language Model Fine-tuning for Text Classification", Howard and Ruder 2018, section 3.2
    (discriminative fine-tuning), with the one factor for all layers of "ELECTRA", Clark et al. 2020.

    Args:
        model: Any model if `decay` is 1, else as `levels` takes it.
        decay: The factor from a level to the one below, above 0 to 1.

    Returns:
        A factor for each of `model.trainable_variables`, in their order.
    """
    if decay == 1:
        return [1.0] * len(model.trainable_variables)
    rungs = levels(model)
    factors = {id(variable): decay ** (len(rungs) - 1 - level) for level, rung in enumerate(rungs) for variable in rung}
    return [factors[id(variable)] for variable in model.trainable_variables]


def _in_order(model: Any) -> Iterator[Any]:
    """The layers of a functional model from its inputs to its outputs, those of nested models in their place."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _in_order(layer)
        else:
            yield layer


def _is_transformer(layer: Any) -> bool:
    layers = require("train", "keras_hub").layers
    if isinstance(layer, layers.TransformerEncoder | layers.TransformerDecoder):
        return True
    return type(layer).__name__.endswith("TransformerDecoder")  # those of Llama and its kin are not public


def _freeze(rungs: list[list[Any]]) -> None:
    for rung in rungs:
        for variable in rung:
            variable.trainable = False

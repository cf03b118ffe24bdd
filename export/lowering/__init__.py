"""One lowering a Keras operation: importing this package registers them all."""

from . import (  # noqa: F401
    activations,
    arithmetic,
    attention,
    convolution,
    embedding,
    indexing,
    multi_head_attention,
    normalization,
    pooling,
    position_embedding,
    products,
    recurrent,
    reduction,
    shaping,
    time_distributed,
)
from .registry import NotLoweredError, lowering_of, lowers

__all__ = ["NotLoweredError", "lowering_of", "lowers"]

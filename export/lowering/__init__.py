"""One lowering a Keras operation: importing this package registers them all."""

from . import dense  # noqa: F401
from .registry import lowering_of

__all__ = ["lowering_of"]

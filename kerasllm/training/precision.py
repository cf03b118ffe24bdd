"""The precision that a training computes in: float32, or half of that where the device is made for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras

from .devices import gpus, on_tpu, rounds_float32


def half_precision() -> str | None:
    """The 16-bit type that every device computes fast in; None: none.

    bfloat16 has the range of float32, so that its gradients need no scaling: TPUs and GPUs from compute capability 8.0
    on have it. Those from 7.0 on have float16.
    """
    if on_tpu():
        return "bfloat16"
    least = min((gpu.capability for gpu in gpus()), default=(0, 0))
    return "bfloat16" if least >= (8, 0) else "float16" if least >= (7, 0) else None


@contextmanager
def precision(half: str | None) -> Iterator[None]:
    """Layers made inside keep float32 weights and compute in `half`; None: as Keras is set."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(f"mixed_{half}" if half else before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def precision_note(*, mixed: bool, half: str | None) -> str | None:
    """What the user should know of the precision: a sentence, or None where it is float32 on a CPU, as expected.

    Args:
        mixed: Whether half precision was asked for.
        half: The type it has become.
    """
    device = gpus()[0].name if gpus() else "a TPU" if on_tpu() else "a CPU"
    if half:
        scaled = " (gradients scaled)" if half == "float16" else ""
        return f"Computes in {half}{scaled} on {device}; weights stay float32."
    if mixed:
        return f"Mixed precision changes nothing on {device}: float32."
    if not gpus():
        return None
    rounded = "rounded to TF32" if rounds_float32() else "not rounded"
    return f"Computes in float32, products {rounded}, on {device}."

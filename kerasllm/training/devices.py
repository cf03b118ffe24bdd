"""The devices that a training runs on: every backend of Keras is asked, and set, in its own way."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import keras
import numpy as np


class Gpu(NamedTuple):
    """A GPU that the backend uses.

    Attributes:
        name: What its maker calls it.
        capability: CUDA's compute capability, (0, 0) where it has none.
    """

    name: str
    capability: tuple[int, int]


def gpus() -> list[Gpu]:
    """The GPUs of the backend; none on a CPU or a TPU."""
    return {"tensorflow": _tensorflow_gpus, "jax": _jax_gpus, "torch": _torch_gpus}[keras.backend.backend()]()


def on_tpu() -> bool:
    """Whether the backend computes on TPUs."""
    if keras.backend.backend() != "jax":
        return False
    import jax

    return jax.default_backend() == "tpu"


def scope() -> AbstractContextManager[Any]:
    """Variables made inside lie on all devices that train together."""
    return strategy().scope() if keras.backend.backend() == "tensorflow" else nullcontext()


def strategy() -> Any:
    """TensorFlow's: every GPU together, or, without one, every logical CPU; the default one where that is one device.

    JAX and PyTorch train on one device here; they have their own ways to more.
    """
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def replicas() -> int:
    """Devices that train together, asked within `scope`."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def make_deterministic(*, fixed_shapes: bool) -> None:
    """The same seed gives the same weights from now on, as far as the backend can be told so while it runs.

    Args:
        fixed_shapes: All batches have one shape, so that XLA compiles the whole step.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # What XLA compiles for a CPU is deterministic by itself, and would not be compiled at all with this.
        if not fixed_shapes or gpus():
            tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch" and gpus():
        import torch

        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # ours are written before they are read


def seed(numbers: tuple[int, ...]) -> None:
    """Begins anew what PyTorch draws dropout from, which is no variable of the model: no checkpoint holds it."""
    if keras.backend.backend() == "torch":
        import torch

        torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1)[0]))


def rounds_float32() -> bool:
    """Whether matrix products of float32 numbers are rounded to TF32's 10 bits on a GPU, as the backend is set."""
    if not any(gpu.capability >= (8, 0) for gpu in gpus()):
        return False
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.config.experimental.tensor_float_32_execution_enabled()
    if keras.backend.backend() == "torch":
        import torch

        return torch.get_float32_matmul_precision() != "highest"
    import jax

    chosen = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    return chosen in (None, "default", "fastest", "tensorfloat32")


def _tensorflow_gpus() -> list[Gpu]:
    import tensorflow as tf

    found = (tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU"))
    return [Gpu(each.get("device_name", "GPU"), each.get("compute_capability", (0, 0))) for each in found]


def _jax_gpus() -> list[Gpu]:
    import jax

    found = [device for device in jax.devices() if device.platform in ("gpu", "cuda", "rocm")]
    return [Gpu(device.device_kind, _version(getattr(device, "compute_capability", ""))) for device in found]


def _torch_gpus() -> list[Gpu]:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [Gpu(torch.cuda.get_device_name(at), torch.cuda.get_device_capability(at)) for at in range(count)]


def _version(text: str) -> tuple[int, int]:
    """ "9.0" as numbers; (0, 0) for the names that other makers give."""
    major, _, minor = str(text).partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)

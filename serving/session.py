"""ONNX Runtime sessions set up for low latency and bounded memory."""

import contextlib
import ctypes
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import onnxruntime

from .cpu import read_cpu
from .errors import BundleError

# Session logs below this level (0 verbose ... 4 fatal) stay quiet: what the caller must know is raised or warned of.
_ERRORS_ONLY = 3
_SPIN = 1000  # microseconds that idle threads look out for work: from a step of a decoder to the next
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_log = logging.getLogger(__name__)


def open_session(
    model: Path,
    *,
    threads: int | None = None,
    providers: str | Sequence[str] | None = None,
    exact_int8: bool = False,
    prepack: bool = True,
    spinning: bool = True,
) -> onnxruntime.InferenceSession:
    """Makes a session.

    The memory arena and memory patterns are off: they keep the largest batch's memory for ever, and cost nothing to go
    without here (benchmarks/footprint.py). One graph runs at a time, on explicit threads (which are then not pinned).
    It is given the model's path, since a session that is given bytes keeps them beside what it makes of them.

    Args:
        model: The file of the ONNX model. Its folder is the only one that external weights may lie in.
        threads: Threads of one operator; None: as many as this process has cores.
        providers: "cpu", "cuda", ONNX Runtime's own names, or None: CUDA where there is a device, else the CPU.
        exact_int8: Whether products of uint8 and int8 must not saturate; costs time on x86 without VNNI.
        prepack: Whether weights are copied into the layout that products of many rows like best; a graph that
            multiplies one row at a time does better without.
        spinning: Whether idle threads look out for work a moment before they sleep.

    Returns:
        The session.

    Raises:
        BundleError: ONNX Runtime cannot load the model.
        ValueError: A provider or the number of threads makes no sense.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1. Received: {threads}. Leave it out to use every core.")
    chosen = choose_providers(providers)
    cpu = read_cpu()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or cpu.cores
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = _ERRORS_ONLY
    if exact_int8 and not cpu.exact_int8:
        options.add_session_config_entry("session.x64quantprecision", "1")
    if not prepack:
        options.add_session_config_entry("session.disable_prepacking", "1")
    if spinning:
        options.add_session_config_entry("session.intra_op.spin_duration_us", str(_SPIN))
    else:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(str(model), options, providers=chosen, enable_fallback=0)
    except Exception as error:  # ONNX Runtime's exceptions share no base class but this one
        reason = " ".join(str(error).split())
        raise BundleError(f"ONNX Runtime {onnxruntime.__version__} cannot load {model}: {reason}") from error
    if chosen[0] not in session.get_providers():
        _fall_back(chosen[0], "ONNX Runtime could not start it")
    return session


def choose_providers(providers: str | Sequence[str] | None = None) -> list[str]:
    """ONNX Runtime's names of the execution providers to use, the CPU last.

    One that is asked for but not there gives one warning and is left out.

    Args:
        providers: As for `open_session`.

    Returns:
        For example ["CUDAExecutionProvider", "CPUExecutionProvider"].

    Raises:
        ValueError: A name that ONNX Runtime does not know.
    """
    available = onnxruntime.get_available_providers()
    if providers is None:
        wanted = [name for name in (_PROVIDERS["cuda"],) if name in available]
    else:
        names = [providers] if isinstance(providers, str) else list(providers)
        wanted = [_PROVIDERS.get(name.lower(), name) for name in names]
    unknown = [name for name in wanted if name not in onnxruntime.get_all_providers()]
    if unknown:
        raise ValueError(f"A provider must be 'cpu', 'cuda' or a name of ONNX Runtime's. Received: {unknown[0]!r}.")
    usable = [name for name in wanted if name != _PROVIDERS["cpu"] and _usable(name, available)]
    return [*usable, _PROVIDERS["cpu"]]


def _usable(name: str, available: Sequence[str]) -> bool:
    """Whether a provider can be tried; warns where it cannot."""
    if name not in available:
        _fall_back(name, "this build of ONNX Runtime does not have it (for CUDA: pip install 'kerasllm[serving-gpu]')")
        return False
    if name == _PROVIDERS["cuda"]:
        if not _cuda_devices():
            _fall_back(name, "no CUDA device was found")
            return False
        with contextlib.redirect_stdout(sys.stderr):  # what it says is no result
            onnxruntime.preload_dlls()  # CUDA's libraries, where they were installed by pip
    return True


def _cuda_devices() -> int:
    """Number of CUDA devices, asked of the driver itself: asking ONNX Runtime prints errors where there is none."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return 0
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def _fall_back(name: str, why: str) -> None:
    _log.warning("%s is not used: %s. Running on the CPU.", name, why)

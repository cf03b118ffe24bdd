"""What this process may use of the CPU, and what the CPU can do."""

import math
import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """The CPU that a measurement belongs to."""

    model: str
    """Name, as the system gives it."""
    cores: int
    """Cores that this process may use."""
    exact_int8: bool
    """Whether uint8 x int8 products cannot saturate: VNNI on x86, always on ARM."""


def read_cpu(root: Path = Path("/")) -> Cpu:
    """Reads the CPU of this machine.

    Args:
        root: Where /proc and /sys are mounted.

    Returns:
        The CPU; where the system tells nothing, x86 counts as one that can saturate.
    """
    facts = _cpuinfo(root / "proc/cpuinfo")
    flags = facts.get("flags", "").split()
    x86 = platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")
    return Cpu(
        model=facts.get("model name") or platform.processor() or platform.machine() or "unknown",
        cores=available_cores(root),
        exact_int8=not x86 or "avx512_vnni" in flags or "avx_vnni" in flags,
    )


def available_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use: its affinity mask, cut by the CPU quota of its control groups.

    Args:
        root: Where /proc and /sys are mounted.

    Returns:
        At least 1. A quota of 1.5 cores counts as 2: one thread would leave half a core unused.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:  # macOS and Windows have no affinity mask here
        cores = os.cpu_count() or 1
    return max(1, min([cores, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> list[float]:
    """CPU quotas in cores, of the process's control groups (versions 1 and 2) and all groups above them."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    quotas: list[float | None] = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        base = root / "sys/fs/cgroup"
        if not controllers:
            quotas += [_quota_v2(folder) for folder in _group_and_above(base, group)]
        elif "cpu" in controllers.split(","):
            mounts = (base / controllers, base / "cpu")
            quotas += [_quota_v1(folder) for mount in mounts for folder in _group_and_above(mount, group)]
    return [quota for quota in quotas if quota]


def _group_and_above(base: Path, group: str) -> list[Path]:
    """The folders of a control group, from the mount down; in a container only the mount itself may exist."""
    folders = [base]
    for part in group.strip("/").split("/"):
        folders.append(folders[-1] / part)
    return folders


def _quota_v2(folder: Path) -> float | None:
    """`cpu.max` holds "quota period" in microseconds, or "max period"."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None


def _quota_v1(folder: Path) -> float | None:
    """`cpu.cfs_quota_us` over `cpu.cfs_period_us`; a quota of -1 means none."""
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        return quota / int((folder / "cpu.cfs_period_us").read_text()) if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _cpuinfo(path: Path) -> dict[str, str]:
    """The facts of the first processor in /proc/cpuinfo."""
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in text.split("\n\n", 1)[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}

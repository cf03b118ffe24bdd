"""Cores and instruction sets are read from a made-up /proc and /sys."""

import os
import platform

import pytest

from kerasllm.serving.cpu import available_cores, read_cpu


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that writes files under a root; the process may use 8 cores of it."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    def write(files: dict[str, str]):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "200000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/host/only\n", "sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1600000 100000\n"}, 8),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense\n"}, 8),
        (
            {
                "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/job\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "400000\n",
                "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000\n",
            },
            4,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            8,
        ),
    ],
)
def test_cores_are_cut_by_the_quota_of_the_control_groups(machine, files, cores):
    assert available_cores(machine(files)) == cores


@pytest.mark.parametrize(
    ("flags", "exact"), [("fpu avx2 avx512_vnni", True), ("fpu avx2 avx_vnni", True), ("fpu avx2 avx512f", False)]
)
def test_vnni_makes_int8_exact(machine, flags, exact):
    root = machine({"proc/cpuinfo": f"processor : 0\nmodel name\t: A CPU\nflags\t\t: {flags}\n\nprocessor : 1\n"})
    cpu = read_cpu(root)
    assert (cpu.model, cpu.exact_int8) == ("A CPU", exact)


def test_arm_is_exact_and_an_unknown_x86_is_not(machine, monkeypatch):
    root = machine({})
    assert not read_cpu(root).exact_int8
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert read_cpu(root).exact_int8


def test_this_machine_can_be_read():
    assert read_cpu().cores >= 1

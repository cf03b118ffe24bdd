"""Installs every consumer, asks them all, and writes the matrix.

    python -m tests.interop [PYTEST OPTIONS]

What is installed goes to ~/.cache/kerasllm/benchmarks (or $KERASLLM_BENCHMARKS; 3 GB). Chromium, Node 20 with npm,
CMake and a compiler come from the system's packages: `make system` brings Debian's.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from .consumers import CONSUMERS, build_cpp, install_node

FILE = Path(__file__).with_name("matrix.md")


def main() -> int:
    """The exit status of pytest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options = parser.parse_known_args()[1]
    steps = {"transformers.js": install_node, "examples/cpp": build_cpp}
    steps |= {name: about.install for name, about in CONSUMERS.items() if about.requirements}
    for name, step in steps.items():
        print(f"installing {name}", flush=True)
        try:
            step()
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            print(f"{name} cannot be installed: {error}", flush=True)
    command = [sys.executable, "-m", "pytest", "-rs", str(FILE.parent), *options]
    done = subprocess.run(command, env={**os.environ, "KERASLLM_INTEROP_MATRIX": str(FILE)}, check=False)
    if FILE.exists():
        print(FILE.read_text())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

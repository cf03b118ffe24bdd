"""examples/cpp, a process for each job."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[3]))

import jobs

from tests.interop.consumers import BUILD


def answer(bundle: Path, job: dict[str, Any]) -> list[Any]:
    command = [str(BUILD / "classify"), str(bundle), "--variant", job["variant"], *job["inputs"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return [json.loads(line) for line in done.stdout.splitlines()]


jobs.run(answer)

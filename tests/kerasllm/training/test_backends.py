"""Models are trained, resumed, exported and served on every backend of Keras that is installed, without TensorFlow."""

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

JOB, ROOT = Path(__file__).with_name("backend_job.py"), Path(__file__).resolve().parents[3]
WITHOUT_TENSORFLOW = """
import runpy, sys
sys.modules["tensorflow"] = None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_does_all_of_it_without_tensorflow(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"no {backend} (pip install {backend})")
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
    program = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(JOB), str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["backend"] == backend
    assert not result["tensorflow"]
    assert result["losses"][0] < 2.7 < math.log(20)
    assert all(map(math.isfinite, result["losses"]))
    assert max(result["exported"]) < 1e-4
    assert result["resumed"]

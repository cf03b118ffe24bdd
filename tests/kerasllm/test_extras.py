import json
import os
import subprocess
import sys
from types import ModuleType

import pytest

from kerasllm.extras import require


def test_an_installed_module_is_returned():
    assert require("serving", "json") is json


def test_a_missing_package_names_the_command_that_brings_it():
    with pytest.raises(ImportError, match=r"'no_such_package'.*pip install 'kerasllm\[train\]'"):
        require("train", "no_such_package.part")


def test_tensorflow_loads_without_a_word():
    code = "from kerasllm.extras import require; import sys; require('train', 'keras'); print('loud', file=sys.stderr)"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == "loud\n"


def test_what_is_loaded_is_returned_with_stderr_left_alone(monkeypatch):
    """Threads that turn it away and back take it from each other."""
    keras = ModuleType("keras")
    monkeypatch.setitem(sys.modules, "keras", keras)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(os, "dup", None)
    assert require("train", "keras") is keras

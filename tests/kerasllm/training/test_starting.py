"""What must be there before a training starts."""

import os
import subprocess
import sys

import pytest

from kerasllm.training.starting import check_out


def test_a_folder_that_holds_something_is_not_trained_into(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match=r"new or empty folder.*--resume"):
        check_out(tmp_path, resume=False, overwrite=False)
    check_out(tmp_path, resume=True, overwrite=False)


def test_a_backend_that_is_not_installed_is_named(tmp_path):
    program = (
        "import sys; sys.modules['jax'] = None\n"
        "from kerasllm.training.starting import check_out\n"
        f"check_out({str(tmp_path)!r}, resume=False, overwrite=False)\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert "ImportError: Training needs the backend of Keras that KERAS_BACKEND names" in done.stderr
    assert "Received: one without the package 'jax'" in done.stderr

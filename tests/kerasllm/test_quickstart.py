import json
import os
import subprocess
import sys

import pytest

from kerasllm.quickstart import SENTENCES


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A small quickstart, by the command line, in a process of its own as its user runs it."""
    folder = tmp_path_factory.mktemp("quickstart")
    command = [sys.executable, "-m", "kerasllm", "quickstart", "--epochs", "1", "--limit", "300", "--json"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_it_goes_the_whole_road(result):
    folder, report = result
    assert [row["model"] for row in report["rows"]] == ["Keras", "ONNX fp32", "ONNX int8"]
    assert (folder / report["curves"]).read_bytes().startswith(b"\x89PNG")
    assert (folder / report["bundle"] / "kerasllm.json").is_file()
    assert [answer["text"] for answer in report["predictions"]] == list(SENTENCES)


def test_keras_and_the_fp32_bundle_are_right_on_the_same_texts(result):
    keras, fp32, int8 = result[1]["rows"]
    assert keras["accuracy"] == fp32["accuracy"]
    assert abs(int8["accuracy"] - fp32["accuracy"]) < 0.05
    assert int8["bytes"] < fp32["bytes"] / 2
    assert all(row["p50_ms"] > 0 for row in (keras, fp32, int8))

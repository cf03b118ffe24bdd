import json
import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file

from kerasllm.pretrained.tensors import open_tensors


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def write_index(folder, weight_map):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def test_headers_tell_names_and_shapes_and_values_come_when_asked_for(tmp_path):
    save_file({"a": np.eye(2, 3, dtype="float16"), "b": np.ones(4, "float32")}, tmp_path / "model.safetensors")
    tensors = open_tensors(tmp_path)
    assert tensors.shapes == {"a": (2, 3), "b": (4,)}
    assert tensors.load("a").dtype == np.float32
    np.testing.assert_array_equal(tensors.load("a"), np.eye(2, 3))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_pickled_weights_are_refused_and_never_opened(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match=f"safetensors only.*{name} alone"):
        open_tensors(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"without model\.safetensors"):
        open_tensors(tmp_path)


@pytest.mark.parametrize(
    "shard",
    ["../model.safetensors", "/etc/passwd", "..\\model.safetensors", "sub/model.safetensors", "model.bin", "", ".."],
)
def test_an_index_that_leaves_its_folder_is_refused(tmp_path, shard):
    (tmp_path / "inner").mkdir()
    save_file({"a": np.ones(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="files of its own folder"):
        open_tensors(write_index(tmp_path / "inner", {"a": shard}))


def test_a_missing_shard_is_named(tmp_path):
    save_file({"a": np.ones(1)}, tmp_path / "1.safetensors")
    with pytest.raises(FileNotFoundError, match=r"without 2\.safetensors"):
        open_tensors(write_index(tmp_path, {"a": "1.safetensors", "b": "2.safetensors"}))


def test_an_index_must_say_where_tensors_are(tmp_path):
    save_file({"a": np.ones(1)}, tmp_path / "1.safetensors")
    save_file({"b": np.ones(1)}, tmp_path / "2.safetensors")
    with pytest.raises(ValueError, match=r"'a' \(and 1 more\) is not where it says"):
        open_tensors(write_index(tmp_path, {"a": "2.safetensors", "b": "1.safetensors"}))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": [1]}}'])
def test_a_broken_index_is_refused(tmp_path, content):
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ValueError, match="index"):
        open_tensors(tmp_path)


@pytest.mark.parametrize("keep", [0, 4, 20, -1])
def test_a_cut_file_is_refused(tmp_path, keep):
    save_file({"a": np.ones(100)}, tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:keep])
    with pytest.raises(ValueError, match="damaged"):
        open_tensors(tmp_path)

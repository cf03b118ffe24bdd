"""`kerasllm inspect` on a bundle, an ONNX file, and what is neither."""

import json

import pytest


def test_a_bundle(command, bundle):
    report = json.loads(command("inspect", bundle, "--json").out)
    graph = report["graphs"]["fp32"]
    assert report["kind"] == "bundle"
    assert report["manifest"]["labels"] == ["negative", "positive"]
    assert [value["name"] for value in graph["inputs"]] == ["input_ids", "attention_mask"]
    assert graph["inputs"][0] == {"name": "input_ids", "type": "int64", "shape": ["batch", "sequence"]}
    assert graph["operators"]["ReduceSum"] == 2
    assert graph["parameters"] == 7 * 2 + 3


def test_a_bundle_as_tables(command, bundle):
    result = command("inspect", bundle)
    assert result.code == 0
    for word in ("negative, positive", "not measured", "tokenizer.json", "ReduceSum"):
        assert word in result.out


def test_an_onnx_file(command, bundle):
    result = command("inspect", bundle / "onnx/fp32.onnx")
    assert result.code == 0
    for word in ("attention_mask", "ReduceSum", "17 parameters"):
        assert word in result.out


def test_a_run(command, tmp_path):
    config = {"format": 1, "labels": ["a", "b"], "multi_label": False, "data": {"source": "texts.csv"}}
    config |= {"tokenizer": {"max_length": 9}, "model": {"encoder": "gru"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name in ("model.keras", "tokenizer.json"):
        (tmp_path / name).write_bytes(b"12345")
    report = json.loads(command("inspect", tmp_path, "--json").out)
    assert (report["kind"], report["finished"], report["files"]["model.keras"]) == ("run", False, 5)
    shown = command("inspect", tmp_path)
    assert shown.code == 0
    assert "gru" in shown.out
    assert "texts.csv" in shown.out


@pytest.mark.parametrize("name", ["nowhere", "text.onnx", "folder"])
def test_what_is_none_of_these(command, tmp_path, name):
    (tmp_path / "text.onnx").write_text("hello")
    (tmp_path / "folder").mkdir()
    result = command("inspect", tmp_path / name)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.strip().splitlines()) == 1


def test_a_tampered_bundle(command, bundle, tmp_path):
    import shutil

    folder = shutil.copytree(bundle, tmp_path / "bundle")
    data = bytearray((folder / "onnx/fp32.onnx").read_bytes())
    data[-1] ^= 1
    (folder / "onnx/fp32.onnx").write_bytes(data)
    result = command("inspect", folder)
    assert result.code == 2
    assert "not the file that was exported" in result.err

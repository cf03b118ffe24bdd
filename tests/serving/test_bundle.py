"""A bundle that is not whole, not safe or not ours is refused in one sentence."""

import json

import pytest

from kerasllm.serving import BundleError, load
from kerasllm.serving.bundle import open_bundle


def refusal(folder) -> str:
    """The one sentence (with its cure) that loading the folder ends in."""
    with pytest.raises(BundleError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def change_manifest(folder, **changes):
    manifest = json.loads((folder / "kerasllm.json").read_text())
    (folder / "kerasllm.json").write_text(json.dumps({**manifest, **changes}))


def test_a_whole_bundle_opens(bundle):
    opened = open_bundle(bundle)
    opened.verify()
    assert opened.manifest.labels == ("negative", "positive")
    assert opened.variant_file(None) == ("fp32", "onnx/fp32.onnx")


def test_no_folder(tmp_path):
    assert "There is no bundle at" in refusal(tmp_path / "nowhere")


def test_a_single_file(bundle):
    assert "is a single file" in refusal(bundle / "onnx/fp32.onnx")


def test_an_empty_folder(tmp_path):
    assert "has no kerasllm.json" in refusal(tmp_path)


def test_a_folder_of_another_project(make_bundle):
    folder = make_bundle()
    (folder / "kerasllm.json").unlink()
    assert "comes from another project" in refusal(folder)


def test_an_unknown_variant(bundle):
    with pytest.raises(ValueError, match=r"must be one of \['fp32'\]. Received: 'int4'"):
        load(bundle, variant="int4")


@pytest.mark.parametrize("name", ["onnx/fp32.onnx", "tokenizer.json", "config.json"])
def test_a_truncated_file(make_bundle, name):
    folder = make_bundle()
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1])
    assert f"{name} must have {len(data)} bytes. Received: {len(data) - 1}" in refusal(folder)


@pytest.mark.parametrize("name", ["onnx/fp32.onnx", "tokenizer.json", "config.json"])
def test_a_tampered_file_of_the_same_size(make_bundle, name):
    folder = make_bundle()
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    assert f"{name} is not the file that was exported" in refusal(folder)


@pytest.mark.parametrize("how", ["replaced", "written to"])
def test_a_file_that_changes_while_it_is_read(make_bundle, how):
    opened = open_bundle(make_bundle())
    name = next(name for name in opened.manifest.files if name.endswith(".onnx"))
    with pytest.raises(BundleError, match="is not the file that was exported"), opened.verified(name) as path:
        data = path.read_bytes()
        if how == "replaced":
            path.rename(path.with_suffix(".old"))
        path.write_bytes(data[::-1])


def test_a_missing_file(make_bundle):
    folder = make_bundle()
    (folder / "tokenizer.json").unlink()
    assert "tokenizer.json is missing" in refusal(folder)


def test_a_newer_format(make_bundle):
    assert "format 2. Upgrade kerasllm" in refusal(make_bundle(format=2))


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000, '{"format": "1"}', '{"format": 1}'])
def test_a_damaged_manifest(make_bundle, text):
    folder = make_bundle()
    (folder / "kerasllm.json").write_text(text)
    assert "kerasllm.json is damaged" in refusal(folder)


def test_a_manifest_too_large_to_be_one(make_bundle):
    folder = make_bundle()
    with (folder / "kerasllm.json").open("a") as file:
        file.write(" " * 2**22)
    assert "larger than a manifest can be" in refusal(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"activation": "relu"},
        {"default_variant": "int8"},
        {"labels": "ab"},
        {"variants": {"fp32": {"file": "elsewhere.onnx"}}},
        {"preprocessing": {"max_length": 0}},
        {"preprocessing": {"max_length": 4, "padding_side": "top"}},
        {"files": {"config.json": 3}},
        {"inputs": {"input_ids": "other"}},
        {"inputs": {"words": "input_ids"}},
        {"outputs": ["other"]},
        {"outputs": "logits"},
        {"settings": []},
        {"settings": {"pair": 1}},
    ],
)
def test_a_manifest_that_does_not_fit(make_bundle, changes):
    assert "damaged" in refusal(make_bundle(**changes))


def test_another_task(make_bundle):
    assert "a bundle for 'summarization'" in refusal(make_bundle(task="summarization"))


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "onnx/../../secret", "C:\\secret", "a\\b", "./config.json", ""]
)
def test_a_path_that_could_leave_the_folder(make_bundle, name):
    folder = make_bundle()
    files = json.loads((folder / "kerasllm.json").read_text())["files"]
    change_manifest(folder, files={**files, name: files["config.json"]})
    assert "must be relative and stay in its folder" in refusal(folder)


def test_a_link_that_leads_out(make_bundle, tmp_path):
    folder = make_bundle()
    (folder / "config.json").rename(tmp_path / "outside.json")
    (folder / "config.json").symlink_to(tmp_path / "outside.json")
    assert "link that leads out of the folder" in refusal(folder)


def test_a_tokenizer_that_is_none(make_bundle):
    import hashlib

    folder = make_bundle()
    (folder / "tokenizer.json").write_bytes(b"{}")
    files = json.loads((folder / "kerasllm.json").read_text())["files"]
    files["tokenizer.json"] = {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    change_manifest(folder, files=files)
    assert "tokenizer of the bundle" in refusal(folder)

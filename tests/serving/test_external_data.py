"""Weights beside a graph: read only from the file that the manifest lists, and only as it was exported."""

import json

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.external_data_helper import set_external_data

from kerasllm.serving import BundleError, external_data, load

from .handmade import SCORES, mean_graph

DATA = "onnx/fp32.onnx_data"


def graph_beside(location: str) -> bytes:
    """`mean_graph`, with its scores in another file."""
    model = onnx.load_from_string(mean_graph())
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "scores")
    set_external_data(tensor, location, offset=0, length=SCORES.nbytes)
    tensor.ClearField("raw_data")
    return model.SerializeToString()


@pytest.fixture
def beside(make_bundle):
    """A bundle with its weights in a file of their own."""
    return make_bundle({"fp32": graph_beside("fp32.onnx_data")}, more_files={DATA: SCORES.tobytes()})


def refusal(folder) -> str:
    with pytest.raises(BundleError) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_answers_as_with_its_weights_inside(beside, bundle):
    assert load(beside)("good film") == load(bundle)("good film")


def test_missing(beside):
    (beside / DATA).unlink()
    assert f"{DATA} is missing" in refusal(beside)


def test_truncated(beside):
    (beside / DATA).write_bytes(SCORES.tobytes()[:-1])
    assert f"{DATA} must have {SCORES.nbytes} bytes. Received: {SCORES.nbytes - 1}" in refusal(beside)


def test_of_another_export(beside):
    (beside / DATA).write_bytes((SCORES + 1).tobytes())
    assert f"{DATA} is not the file that was exported" in refusal(beside)


def test_a_link_out_of_the_folder(beside, tmp_path):
    (beside / DATA).rename(tmp_path / "outside")
    (beside / DATA).symlink_to(tmp_path / "outside")
    assert "link that leads out of the folder" in refusal(beside)


def test_changed_while_it_is_read(beside, monkeypatch):
    from kerasllm.serving import loading

    def change_and_open(*args, **options):
        (beside / DATA).write_bytes((SCORES + 1).tobytes())
        return opened(*args, **options)

    opened = loading.open_session
    monkeypatch.setattr(loading, "open_session", change_and_open)
    assert f"{DATA} is not the file that was exported" in refusal(beside)


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "fp32.onnx", "other.bin", "x" * 200])
def test_no_file_is_opened_that_the_manifest_does_not_list(make_bundle, location, monkeypatch):
    folder = make_bundle({"fp32": graph_beside(location)}, more_files={DATA: SCORES.tobytes()})
    monkeypatch.setattr("onnxruntime.InferenceSession", None)  # it must not come to that
    assert f"{location[-199:]}'. Export or copy" in refusal(folder)


def test_a_listed_file_of_another_name_is_not_the_graphs(make_bundle):
    folder = make_bundle({"fp32": graph_beside("other.bin")}, more_files={"onnx/other.bin": SCORES.tobytes()})
    assert "weights in 'other.bin'" in refusal(folder)


def test_what_other_variants_read_is_not_compared(make_bundle):
    folder = make_bundle({"fp32": mean_graph(), "other": graph_beside("other.onnx_data")}, more_files={
        "onnx/other.onnx_data": SCORES.tobytes()
    })  # fmt: skip
    (folder / "onnx/other.onnx_data").write_bytes((SCORES + 1).tobytes())
    assert load(folder)("good film")
    with pytest.raises(BundleError, match="is not the file that was exported"):
        load(folder, variant="other")


@pytest.mark.parametrize("piece", range(1, 40, 3))
def test_locations_are_found_wherever_the_pieces_of_a_file_end(monkeypatch, tmp_path, piece):
    monkeypatch.setattr(external_data, "_PIECE", piece)
    model = onnx.load_from_string(graph_beside("first.bin"))
    other = numpy_helper.from_array(np.zeros(3, np.float32), "other")
    set_external_data(other, "second.bin")
    model.graph.initializer.append(other)
    (tmp_path / "graph").write_bytes(model.SerializeToString())
    assert external_data.locations(tmp_path / "graph") == {"first.bin", "second.bin"}


def test_a_graph_that_holds_its_weights_asks_for_no_file(bundle):
    file = json.loads((bundle / "kerasllm.json").read_text())["variants"]["fp32"]["file"]
    assert external_data.locations(bundle / file) == set()


def test_a_name_before_its_key_is_no_way_around(tmp_path):
    entry = b"\x12\x0b/etc/passwd\n\x08location"
    (tmp_path / "graph").write_bytes(b"\x6a" + bytes([len(entry)]) + entry + b"\x70\x01")
    assert external_data.locations(tmp_path / "graph") == {"an entry that hides its name"}

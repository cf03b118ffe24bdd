"""Sessions: what they are set to, which providers they run on, and what they may read."""

import logging

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from kerasllm.serving import BundleError, load, loading, session

from .handmade import mean_graph


@pytest.fixture
def model_file(tmp_path):
    """Writes a model into a folder of its own; returns its path."""
    (tmp_path / "onnx").mkdir()

    def write(model):
        (tmp_path / "onnx" / "model.onnx").write_bytes(model)
        return tmp_path / "onnx" / "model.onnx"

    return write


def test_asking_for_cuda_without_it_gives_one_warning_and_the_right_answer(bundle, caplog, capfd):
    right = load(bundle)("good film")
    with caplog.at_level(logging.WARNING):
        assert load(bundle, providers="cuda")("good film") == right
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "CUDAExecutionProvider is not used" in caplog.text
    assert capfd.readouterr() == ("", "")


def test_a_build_for_cuda_without_a_device_falls_back(monkeypatch, caplog):
    monkeypatch.setattr(
        onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    monkeypatch.setattr(session, "_cuda_devices", lambda: 0)
    assert session.choose_providers() == ["CPUExecutionProvider"]
    assert caplog.text.count("no CUDA device was found") == 1


def test_the_cpu_by_name_warns_of_nothing(caplog):
    assert session.choose_providers("cpu") == ["CPUExecutionProvider"]
    assert not caplog.records


def test_an_unknown_provider_is_refused():
    with pytest.raises(ValueError, match="Received: 'tpu'"):
        session.choose_providers("tpu")


def test_threads_are_set_and_checked(bundle):
    options = load(bundle, threads=1).session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    with pytest.raises(ValueError, match=r"threads must be at least 1\. Received: 0"):
        load(bundle, threads=0)


@pytest.mark.parametrize(("vnni", "int8", "exact"), [(False, True, True), (True, True, False), (False, False, False)])
def test_int8_is_exact_without_vnni(monkeypatch, model_file, vnni, int8, exact):
    cpu = session.read_cpu()
    monkeypatch.setattr(session, "read_cpu", lambda: type(cpu)(model="x", cores=1, exact_int8=vnni))
    opened = session.open_session(model_file(mean_graph()), exact_int8=int8)
    key = "session.x64quantprecision"
    if exact:
        assert opened.get_session_options().get_session_config_entry(key) == "1"
    else:
        with pytest.raises(RuntimeError):
            opened.get_session_options().get_session_config_entry(key)


@pytest.mark.parametrize(
    ("record", "guarded"), [({}, True), ({"saturates": True}, True), ({"saturates": False}, False)]
)
def test_only_int8_that_can_saturate_is_guarded(make_bundle, monkeypatch, record, guarded):
    asked = []
    right = loading.open_session
    monkeypatch.setattr(loading, "open_session", lambda *a, **k: asked.append(k["exact_int8"]) or right(*a, **k))
    graph = mean_graph()
    variant = {"file": "onnx/int8.onnx", "bytes": len(graph), **record}
    load(make_bundle({"int8": graph}, variants={"int8": variant}))
    assert asked == [guarded]


def test_what_is_no_model_is_refused_in_one_line(model_file):
    with pytest.raises(BundleError, match=r"cannot load .*model\.onnx") as caught:
        session.open_session(model_file(b"nothing"))
    assert "\n" not in str(caught.value)


def external_model(location: str) -> bytes:
    """y = x + w, with w in a file of its own."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value=location)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", values[:1], values[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return onnx.ModelProto.SerializeToString(model)


def test_external_weights_stay_in_the_folder(model_file, tmp_path):
    folder = tmp_path / "onnx"
    for file in (folder / "inside.bin", tmp_path / "secret.bin"):
        file.write_bytes(np.ones(2, np.float32).tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    opened = session.open_session(model_file(external_model("inside.bin")))
    np.testing.assert_array_equal(opened.run(None, {"x": np.ones(2, np.float32)})[0], [2, 2])
    for location in ("../secret.bin", str(tmp_path / "secret.bin"), "link.bin"):
        with pytest.raises(BundleError, match="cannot load"):
            session.open_session(model_file(external_model(location)))

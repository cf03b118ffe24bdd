"""Sources on disk: a .keras file runs no code of its own, and what is no model is refused in a sentence."""

import keras
import pytest

from kerasllm.export import ExportError
from kerasllm.export.sources import export_source, load_model_file
from kerasllm.serving import load

# Keras 3.15 reads variables in a way that numpy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ran = []


@keras.saving.register_keras_serializable("tests")
class Foreign(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def save(tmp_path, *layers):
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(2)]).save(path)
    return path


def test_a_file_of_keras_layers_loads(tmp_path):
    assert load_model_file(save(tmp_path)).output_shape == (None, 2)


def test_a_lambda_is_refused_and_not_run(tmp_path):
    path = save(tmp_path, keras.layers.Lambda(lambda x: ran.append("code of the file") or x, output_shape=(4,)))
    ran.clear()
    with pytest.raises(ExportError, match=r"must hold Keras's own layers alone\..*with a Lambda layer"):
        load_model_file(path)
    assert not ran


def test_a_class_of_another_program_is_refused(tmp_path, monkeypatch):
    path = save(tmp_path, Foreign())
    monkeypatch.delitem(keras.saving.get_custom_objects(), "tests>Foreign")
    with pytest.raises(ExportError, match="a part that Keras does not know"):
        load_model_file(path)


def test_what_is_no_model_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be a RUN folder or a \.keras file"):
        load_model_file(tmp_path / "nowhere.keras")
    (tmp_path / "text.keras").write_text("hello")
    with pytest.raises(ValueError, match="damaged or of another kind"):
        load_model_file(tmp_path / "text.keras")
    whole = save(tmp_path).read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged or of another kind"):
        load_model_file(tmp_path / "cut.keras")


def test_a_file_needs_a_tokenizer_and_labels(tmp_path):
    with pytest.raises(ValueError, match=r"Add --tokenizer tokenizer\.json --labels"):
        export_source(save(tmp_path), tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_file_of_another_process_exports(model, tokenizer, tmp_path):
    model.save(tmp_path / "model.keras")
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    keras.utils.clear_session()  # as in a new process: names such as "cast" are given out from the start again
    options = {"tokenizer": tmp_path / "tokenizer.json", "labels": ["a", "b"], "variants": ["fp32"]}
    manifest = export_source(tmp_path / "model.keras", tmp_path / "bundle", **options)
    assert manifest["provenance"] == {"source": "file", "file": "model.keras"}
    assert load(tmp_path / "bundle")("good film")[0]["label"] in ("a", "b")


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"which has no config\.json"):
        export_source(tmp_path, tmp_path / "bundle")


def test_a_run_says_its_labels_itself(tmp_path):
    with pytest.raises(ValueError, match="Received: --labels"):
        export_source(tmp_path, tmp_path / "bundle", labels=["a", "b"])

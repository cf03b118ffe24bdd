"""A bundle is whole, verified and as good as promised, or it does not exist."""

import contextlib
import json
import resource
import shutil

import keras
import numpy as np
import onnx_ir as ir
import pytest
from keras import layers

from kerasllm.data.dataset import Split
from kerasllm.export import ExportError, bundle, export_bundle
from kerasllm.serving import load
from kerasllm.serving.bundle import open_bundle

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
LABELS = ["negative", "positive"]


@pytest.fixture(scope="module")
def exported(model, tokenizer, validation, tmp_path_factory):
    """One bundle of both variants: its folder and its manifest."""
    out = tmp_path_factory.mktemp("exported") / "bundle"
    manifest = export_bundle(model, out, tokenizer=tokenizer, labels=LABELS, validation=validation, max_drop=1.0)
    return out, manifest


def keras_probabilities(model, tokenizer, text):
    ids = np.array([tokenizer.encode(text).ids])
    return keras.ops.convert_to_numpy(keras.ops.softmax(model([ids, np.ones_like(ids)])))[0]


def test_the_folder_has_every_file_and_the_manifest_lists_them(exported):
    out, manifest = exported
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    onnx_files = {"onnx/model.onnx", "onnx/model_quantized.onnx"}
    configs = {"config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}
    assert files == onnx_files | configs | {"kerasllm.json", "README.md"}
    assert set(manifest["files"]) == onnx_files | configs
    assert json.loads((out / "kerasllm.json").read_text()) == manifest
    open_bundle(out).verify()


def test_the_card_may_be_edited(exported, tmp_path):
    out = shutil.copytree(exported[0], tmp_path / "b")
    (out / "README.md").write_text("mine")
    assert load(out)("good film")


def test_the_manifest_has_what_was_measured(exported):
    _, manifest = exported
    fp32, int8 = manifest["variants"]["fp32"], manifest["variants"]["int8"]
    assert fp32["parity"]["max_abs_difference"] <= 1e-4
    assert fp32["parity"]["rows"] > 40
    assert int8["parity"]["agreement"] > 0.8
    assert int8["coverage"]["quantized"] >= 1
    assert fp32["metric"]["examples"] == 40
    assert int8["metric"]["drop"] == pytest.approx(fp32["metric"]["value"] - int8["metric"]["value"])
    assert fp32["latency_ms"]["p50"] > 0
    assert manifest["cpu"]["cores"] >= 1
    assert manifest["default_variant"] == "int8"


def test_fp32_serves_what_keras_computes(exported, model, tokenizer):
    classifier = load(exported[0], variant="fp32")
    texts = ["good film", "very bad plot not fine", "dull"]
    expected = [keras_probabilities(model, tokenizer, text) for text in texts]
    np.testing.assert_allclose(classifier.probabilities(texts), expected, atol=1e-5)


def test_the_configs_are_what_hugging_face_reads(exported):
    out, _ = exported
    config = json.loads((out / "config.json").read_text())
    assert (config["model_type"], config["architectures"]) == ("distilbert", ["DistilBertForSequenceClassification"])
    assert config["id2label"] == {"0": "negative", "1": "positive"}
    assert config["label2id"] == {"negative": 0, "positive": 1}
    assert (config["vocab_size"], config["pad_token_id"]) == (10, 0)
    assert json.loads((out / "special_tokens_map.json").read_text()) == {"pad_token": "[PAD]", "unk_token": "[UNK]"}
    tokenizer_config = json.loads((out / "tokenizer_config.json").read_text())
    assert tokenizer_config["model_max_length"] == 256
    assert tokenizer_config["model_input_names"] == ["input_ids", "attention_mask"]


def test_the_graph_has_the_names_that_clients_use(exported):
    session = load(exported[0], variant="fp32").session
    assert [node.name for node in session.get_inputs()] == ["input_ids", "attention_mask"]
    assert {node.type for node in session.get_inputs()} == {"tensor(int64)"}
    assert [node.name for node in session.get_outputs()] == ["logits"]
    assert json.loads(session.get_modelmeta().custom_metadata_map["labels"]) == LABELS


def test_a_users_binary_model_with_one_sigmoid_score(tokenizer, tmp_path):
    keras.utils.set_random_seed(0)
    embedding = layers.Embedding(10, 4, mask_zero=True, embeddings_initializer="normal")
    head = [layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid", kernel_initializer="normal")]
    model = keras.Sequential([keras.Input((None,), dtype="int32", name="words"), embedding, *head])
    export_bundle(model, tmp_path / "b", tokenizer=tokenizer, labels=LABELS, variants=["fp32"])
    classifier = load(tmp_path / "b")
    positive = float(keras.ops.convert_to_numpy(model(np.array(tokenizer.encode("good plot").ids)[None]))[0, 0])
    np.testing.assert_allclose(classifier.probabilities(["good plot"]), [[1 - positive, positive]], atol=1e-5)
    assert [node.name for node in classifier.session.get_inputs()] == ["words"]


def test_int8_alone_leaves_no_fp32_behind(model, tokenizer, tmp_path):
    manifest = export_bundle(model, tmp_path / "b", tokenizer=tokenizer, labels=LABELS, variants=["int8"])
    assert [path.name for path in (tmp_path / "b/onnx").iterdir()] == ["model_quantized.onnx"]
    assert list(manifest["variants"]) == ["int8"]
    assert load(tmp_path / "b")("good")[0]["label"] in LABELS


def test_weights_beside_the_graphs_answer_the_same(exported, model, tokenizer, tmp_path):
    manifest = export_bundle(model, tmp_path / "b", tokenizer=tokenizer, labels=LABELS, inline_limit=1000)
    assert {"onnx/model.onnx_data", "onnx/model_quantized.onnx_data"} < set(manifest["files"])
    told = json.loads((tmp_path / "b/config.json").read_text())["transformers.js_config"]
    assert set(told["use_external_data_format"]) == {"model.onnx", "model_quantized.onnx"}
    for variant in ("fp32", "int8"):
        inside, beside = (load(folder, variant=variant) for folder in (exported[0], tmp_path / "b"))
        np.testing.assert_array_equal(inside.probabilities(["good film"]), beside.probabilities(["good film"]))


@pytest.mark.parametrize(
    ("layer", "fp32", "int8"),
    [(layers.LSTM(32), False, True), (layers.GRU(32), False, False), (layers.GlobalMaxPooling1D(), True, True)],
    ids=["lstm", "gru", "pooling"],
)
def test_float_recurrent_weights_are_served_unpacked(layer, fp32, int8, tokenizer, tmp_path):
    model = keras.Sequential([keras.Input((4,), dtype="int32"), layers.Embedding(10, 4), layer, layers.Dense(2)])
    export_bundle(model, tmp_path / "b", tokenizer=tokenizer, labels=LABELS, padding_side="right")
    for variant, packed in (("fp32", fp32), ("int8", int8)):
        options = load(tmp_path / "b", variant=variant).session.get_session_options()
        with contextlib.nullcontext() if not packed else pytest.raises(RuntimeError):  # there is no such entry
            assert options.get_session_config_entry("session.disable_prepacking") == "1"


def test_several_labels_a_text(model, tokenizer, tmp_path, validation):
    several = Split(validation.texts, np.random.default_rng(1).integers(0, 2, (40, 2)).astype(np.float32))
    options = {"labels": LABELS, "multi_label": True, "variants": ["fp32"], "validation": several}
    manifest = export_bundle(model, tmp_path / "b", tokenizer=tokenizer, **options)
    assert manifest["activation"] == "sigmoid"
    assert manifest["variants"]["fp32"]["metric"]["name"] == "micro F1"


def spoil(lowered: ir.Model, by: float) -> ir.Model:
    """Every float weight a little wrong."""
    for value in lowered.graph.initializers.values():
        weights = value.const_value.numpy()
        if weights.dtype == np.float32 and weights.size > 1:
            value.const_value = ir.tensor(weights + np.float32(by), name=value.name)
    return lowered


def refuse(error, match, model, out, **options):
    """The export fails in a sentence, and leaves nothing: neither a bundle nor a temporary folder."""
    before = set(out.parent.iterdir())
    with pytest.raises(error, match=match):
        export_bundle(model, out, **options)
    assert set(out.parent.iterdir()) == before


def test_a_graph_that_differs_from_keras_is_refused(model, tokenizer, tmp_path, monkeypatch):
    right = bundle.lower_model
    monkeypatch.setattr(bundle, "lower_model", lambda *args, **options: spoil(right(*args, **options), 1e-2))
    options = {"tokenizer": tokenizer, "labels": LABELS, "variants": ["fp32"]}
    refuse(ExportError, "must give what Keras gives, within 0.0001", model, tmp_path / "b", **options)


def test_a_variant_that_loses_too_much_is_refused(model, tokenizer, validation, tmp_path, monkeypatch):
    right, texts = bundle.quantize, validation.texts
    answers = [int(keras_probabilities(model, tokenizer, text).argmax()) for text in texts]
    perfect = Split(texts, np.array(answers))  # labels that fp32 gets right, every one

    def ruin(lowered):
        quantized, coverage = right(lowered)
        for value in quantized.graph.initializers.values():
            weights = value.const_value.numpy()
            if weights.dtype == np.float32:
                value.const_value = ir.tensor(np.zeros_like(weights), name=value.name)
        return quantized, coverage

    monkeypatch.setattr(bundle, "quantize", ruin)
    options = {"tokenizer": tokenizer, "labels": LABELS, "validation": perfect}
    match = r"int8 may lose at most 0\.50 points of accuracy.*Received: a loss of .*--max-drop"
    refuse(ExportError, match, model, tmp_path / "b", **options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"task": "summarization"}, "task must be one of text-classification, .* Received: 'summarization'"),
        ({"variants": ["int4"]}, r"Received: \['int4'\]"),
        ({"variants": []}, "Variants must be distinct"),
        ({"labels": ["a", "a"]}, "Labels must be distinct"),
        ({"labels": ["a", "b", "c"]}, "Received: 3 labels"),
    ],
)
def test_a_request_that_makes_no_sense(model, tokenizer, tmp_path, options, match):
    refuse(ValueError, match, model, tmp_path / "b", **{"tokenizer": tokenizer, "labels": LABELS, **options})


def test_a_tokenizer_larger_than_the_model(model, tokenizer, tmp_path):
    larger = type(tokenizer).from_str(tokenizer.to_str())
    larger.add_tokens(["another"])
    refuse(ValueError, "a tokenizer of 11", model, tmp_path / "b", tokenizer=larger, labels=LABELS)


def test_a_tokenizer_file_that_is_not_there(model, tmp_path):
    options = {"tokenizer": tmp_path / "tokenizer.json", "labels": LABELS}
    refuse(FileNotFoundError, r"tokenizer\.json", model, tmp_path / "b", **options)


def test_a_bundle_that_is_there_stays_unless_overwritten(exported, model, tokenizer, tmp_path):
    out = tmp_path / "b"
    shutil.copytree(exported[0], out)
    options = {"tokenizer": tokenizer, "labels": ["no", "yes"], "variants": ["fp32"]}
    refuse(FileExistsError, "must be new or empty", model, out, **options)
    assert load(out).labels == ("negative", "positive")
    export_bundle(model, out, **options, overwrite=True)
    assert load(out).labels == ("no", "yes")


def test_a_disk_that_fills_up_leaves_nothing(tokenizer, tmp_path):
    ids = keras.Input((None,), dtype="int32")
    wide = layers.Embedding(10, 50_000, mask_zero=True)(ids)  # 2 MB of weights
    model = keras.Model(ids, layers.Dense(2)(layers.GlobalAveragePooling1D()(wide)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))  # from here on no file of this process can pass 1 MiB
    try:
        with pytest.raises(OSError, match="File too large"):
            export_bundle(model, tmp_path / "b", tokenizer=tokenizer, labels=LABELS, variants=["fp32"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())

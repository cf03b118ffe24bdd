"""For each task: the bundle of a tiny encoder serves what Keras computes, and says what other programs must know."""

import json
import shutil

import keras
import numpy as np
import pytest

from kerasllm.export import ExportError, bundle, export_bundle
from kerasllm.serving import load
from kerasllm.serving.errors import BundleError
from kerasllm.serving.graph import pad

from .encoders import LABELS_OF, TAGS, TASKS, bert_tokenizer, task_model

# Keras 3.15 reads variables in a way that numpy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
QUESTION = {"question": "who met alan ?", "context": "ada met alan in london . the film was good ."}
ASKED = {
    "text-classification": ["the film was good", "bad"],
    "token-classification": ["ada met alan in new york", "who ?"],
    "question-answering": [QUESTION, {"question": "where ?", "context": "in paris"}],
    "feature-extraction": ["the film was good", "bad"],
    "fill-mask": ["the [MASK] was good", "[MASK] met alan in [MASK] ."],
}


@pytest.mark.parametrize("task", TASKS)
def test_every_output_is_kerass_where_there_are_tokens(exported_task, task):
    model, folder, manifest = exported_task(task)
    served = load(folder, variant="fp32")
    rows = served.rows(ASKED[task])
    arrays = pad(rows, served.preprocessing)
    expected = model({role: arrays[role] for role in manifest["inputs"]}, training=False)
    expected = expected if isinstance(expected, dict) else {"logits": expected}
    actual = served.graph.run(rows)
    assert list(actual) == manifest["outputs"]
    assert actual.keys() == expected.keys()
    for name, values in actual.items():
        keras_values, real = np.asarray(expected[name]), arrays["attention_mask"] == 1
        if values.shape[:2] == real.shape and name != "sentence_embedding":
            values, keras_values = values[real], keras_values[real]
        np.testing.assert_allclose(values, keras_values, atol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_what_was_measured(exported_task, task):
    manifest = exported_task(task).manifest
    fp32, int8 = manifest["variants"]["fp32"], manifest["variants"]["int8"]
    assert fp32["parity"]["max_abs_difference"] <= 1e-4
    assert int8["parity"]["rows"] == fp32["parity"]["rows"] > 10
    assert int8["parity"]["cosine" if task == "feature-extraction" else "agreement"] > 0.9
    assert 0 < int8["parity"]["max_abs_difference"] < 0.5
    assert fp32["latency_ms"]["p50"] > 0


@pytest.mark.parametrize("task", TASKS)
def test_names_and_axes_are_those_that_clients_know(exported_task, task):
    _, folder, manifest = exported_task(task)
    for variant in manifest["variants"]:
        session = load(folder, variant=variant).graph.session
        assert [node.name for node in session.get_inputs()] == ["input_ids", "attention_mask", "token_type_ids"]
        assert {node.type for node in session.get_inputs()} == {"tensor(int64)"}
        assert {tuple(node.shape) for node in session.get_inputs()} == {("batch_size", "sequence_length")}
        shapes = {node.name: node.shape for node in session.get_outputs()}
        tokens = ["batch_size", "sequence_length"]
        assert (
            shapes
            == {
                "text-classification": {"logits": ["batch_size", 2]},
                "token-classification": {"logits": [*tokens, len(TAGS)]},
                "question-answering": {"start_logits": tokens, "end_logits": tokens},
                "feature-extraction": {"last_hidden_state": [*tokens, 32], "sentence_embedding": ["batch_size", 32]},
                "fill-mask": {"logits": [*tokens, 28]},
            }[task]
        )
        assert list(shapes) == manifest["outputs"]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_the_runtime_answers(exported_task, task, variant):
    served = load(exported_task(task).folder, variant=variant)
    answers = served(ASKED[task])
    assert len(answers) == 2
    if task == "feature-extraction":
        np.testing.assert_allclose(np.linalg.norm(answers, axis=1), 1, atol=1e-5)
    if task == "question-answering":
        assert QUESTION["context"][answers[0]["start"] : answers[0]["end"]] == answers[0]["answer"]


def test_a_tampered_bundle_is_not_served(exported_task, tmp_path):
    folder = shutil.copytree(exported_task("feature-extraction").folder, tmp_path / "bundle")
    pooling = folder / "1_Pooling/config.json"
    pooling.write_text(pooling.read_text().replace("true", "null"))
    with pytest.raises(BundleError, match=r"1_Pooling/config\.json is not the file that was exported"):
        load(folder)


def exported_with(model, tmp_path, task, **options):
    options = {"tokenizer": bert_tokenizer(), "labels": LABELS_OF.get(task, ()), "variants": ["fp32"], **options}
    return export_bundle(model, tmp_path / "b", task=task, **options)


@pytest.mark.parametrize(
    ("task", "of", "match"),
    [
        (
            "token-classification",
            "text-classification",
            r"one output, logits \[batch, sequence, labels\]",
        ),
        ("question-answering", "token-classification", r"2 outputs, start_logits \[batch, sequence\], end_logits"),
        ("feature-extraction", "question-answering", r"Received: end_logits \[None, None\], start_logits"),
        ("text-classification", "feature-extraction", r"must have one output, logits \[batch, labels\]"),
    ],
)
def test_outputs_of_another_task_are_refused(exported_task, tmp_path, task, of, match):
    with pytest.raises(ValueError, match=match):
        exported_with(exported_task(of).model, tmp_path, task)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("task", "options", "match"),
    [
        ("token-classification", {"labels": TAGS[:3]}, "each of the model's 5 scores .*Received: 3 labels"),
        ("token-classification", {"labels": []}, "Labels must be distinct names, one at least"),
        ("fill-mask", {"labels": ["a"]}, "A fill-mask model has no labels"),
        ("question-answering", {"settings": {"pooling": "cls"}}, "must be one of stride, .*Received: pooling"),
        (
            "feature-extraction",
            {"settings": {"pooling": "cls"}},
            "what the model does, 'mean'. Received: 'cls'",
        ),
        ("feature-extraction", {"max_length": 25}, "not be above 24, as many tokens as the model has positions"),
    ],
)
def test_requests_that_do_not_fit_the_model(exported_task, tmp_path, task, options, match):
    with pytest.raises(ValueError, match=match):
        exported_with(exported_task(task).model, tmp_path, task, **options)
    assert not list(tmp_path.iterdir())


def test_probabilities_of_tokens_become_logits_or_are_refused(tmp_path):
    model = task_model("token-classification")
    ended = keras.Model(model.inputs, keras.layers.Softmax()(model.output))
    exported_with(ended, tmp_path, "token-classification")
    served = load(tmp_path / "b")
    row = served.rows(["ada met alan"])
    arrays = pad(row, served.preprocessing)
    expected = model({tensor.name: arrays[tensor.name] for tensor in model.inputs})
    np.testing.assert_allclose(served.graph.run(row)["logits"], expected, atol=1e-5)
    hidden = keras.Model(model.inputs, keras.ops.softmax(model.output)[..., :5])
    with pytest.raises(ValueError, match=r"must be logits.*Received: probabilities"):
        exported_with(hidden, tmp_path / "2", "token-classification")


def test_every_output_is_held_to_keras(monkeypatch, exported_task, tmp_path):
    """One wrong number in the second output is enough."""
    right = bundle.lower_model

    def wrong(*args, **options):
        lowered = right(*args, **options)
        pooled = next(value for value in lowered.graph.outputs if value.name == "sentence_embedding")
        pooled.name = "before"
        changed = bundle.ir.node("Add", [pooled, pooled])
        changed.outputs[0].name, changed.outputs[0].type = "sentence_embedding", pooled.type
        changed.outputs[0].shape = pooled.shape
        lowered.graph.append(changed)
        lowered.graph.outputs[lowered.graph.outputs.index(pooled)] = changed.outputs[0]
        return lowered

    monkeypatch.setattr(bundle, "lower_model", wrong)
    with pytest.raises(ExportError, match=r"must give what Keras gives, within 0\.0001"):
        exported_with(exported_task("feature-extraction").model, tmp_path, "feature-extraction")
    assert not list(tmp_path.iterdir())


def test_the_files_for_sentence_transformers(exported_task):
    folder = exported_task("feature-extraction").folder
    kinds = [module["type"].rsplit(".", 1)[1] for module in json.loads((folder / "modules.json").read_text())]
    assert kinds == ["Transformer", "Pooling", "Normalize"]
    pooling = json.loads((folder / "1_Pooling/config.json").read_text())
    assert pooling["word_embedding_dimension"] == 32
    assert [name for name, value in pooling.items() if value is True] == ["pooling_mode_mean_tokens"]
    assert json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"] == 24

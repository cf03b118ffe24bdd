"""Whatever a model ends in, its bundle gives logits for every label, and its classifier Keras's probabilities."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from kerasllm.export import ExportError, export_bundle
from kerasllm.serving import load

ENDS = {
    "softmax layer": ([layers.Dense(2), layers.Softmax()], {}),
    "softmax": ([layers.Dense(2, "softmax")], {}),
    "one sigmoid": ([layers.Dense(1, "sigmoid")], {}),
    "one logit": ([layers.Dense(1)], {}),
    "two sigmoids": ([layers.Dense(2, "sigmoid")], {"multi_label": True}),
    "two logits": ([layers.Dense(2)], {}),
}


def model_with(*end) -> keras.Model:
    keras.utils.set_random_seed(3)
    embedding = layers.Embedding(10, 4, mask_zero=True, embeddings_initializer="normal")
    return keras.Sequential([keras.Input((None,), dtype="int32"), embedding, layers.GlobalAveragePooling1D(), *end])


@pytest.mark.parametrize("end", ENDS)
def test_logits_go_out_and_probabilities_are_kerass(end, tokenizer, tmp_path):
    stack, options = ENDS[end]
    model = model_with(*stack)
    export_bundle(model, tmp_path / "b", tokenizer=tokenizer, labels=["no", "yes"], variants=["fp32"], **options)
    classifier = load(tmp_path / "b")
    assert [(node.name, node.shape[1]) for node in classifier.session.get_outputs()] == [("logits", 2)]
    rows = [np.array([2, 3, 4]), np.array([5])]
    expected = np.concatenate([keras.ops.convert_to_numpy(model(row[None])) for row in rows])
    logits = classifier.outputs(rows)
    if end == "one logit":
        np.testing.assert_allclose(logits, np.concatenate([0 * expected, expected], axis=1), atol=1e-6)
    elif end == "two logits":
        np.testing.assert_allclose(logits, expected, atol=1e-6)
    else:
        np.testing.assert_allclose(classifier.run(rows)[:, -expected.shape[1] :], expected, atol=1e-6)
    assert json.loads((tmp_path / "b" / "config.json").read_text())["num_labels"] == 2


def test_an_end_that_is_said_to_be_final_stays(tokenizer, tmp_path):
    model = model_with(layers.Dense(2, "softmax"))
    options = {"labels": ["no", "yes"], "variants": ["fp32"], "activation": "none"}
    manifest = export_bundle(model, tmp_path / "b", tokenizer=tokenizer, **options)
    assert manifest["activation"] == "none"
    assert load(tmp_path / "b").outputs([np.array([2])]).sum() == pytest.approx(1)


def test_an_end_that_the_graph_does_not_have_is_refused(tokenizer, tmp_path):
    from kerasllm.export.compiler import lower_model
    from kerasllm.export.head import expose_logits
    from kerasllm.export.signature import read_signature

    signature = read_signature(model_with(layers.Dense(2, "softmax")), tokenizer, ["no", "yes"])
    with pytest.raises(ExportError, match="must end in Softmax"):
        expose_logits(lower_model(model_with(layers.Dense(2))), signature)

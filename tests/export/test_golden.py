"""Models that others trained in Keras 2 days give after export what their authors published."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from kerasllm.export.bundle import export_bundle
from kerasllm.export.compiler import lower_model
from kerasllm.export.passes import optimise
from kerasllm.serving import load

from .parity import assert_parity, onnx_outputs, operators, session_of


@pytest.fixture(scope="module")
def keras2() -> ModuleType:
    """The example that reads Keras 2 weights."""
    path = Path(__file__).parents[2] / "examples" / "keras2_weights.py"
    spec = importlib.util.spec_from_file_location("keras2_weights", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_reactionrnn_reacts_as_published(keras2, shared_data, tmp_path):
    folder = shared_data / "pretrained" / "reactionrnn"
    published = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    manifest = export_bundle(
        keras2.reactionrnn(folder),
        tmp_path / "bundle",
        tokenizer=keras2.character_tokenizer(folder / "reactionrnn_vocab.json"),
        labels=published["order"],
        activation="none",
        padding_side="left",
        variants=["fp32"],
    )
    assert manifest["preprocessing"]["max_length"] == 140
    scores = load(tmp_path / "bundle").probabilities(list(published["predictions"]))
    np.testing.assert_allclose(scores, list(published["predictions"].values()), atol=6e-5)  # they have four digits


def test_reactionrnn_is_one_operator(keras2, shared_data):
    found = operators(optimise(lower_model(keras2.reactionrnn(shared_data / "pretrained" / "reactionrnn"))))
    assert found.count("GRU") == 1
    assert not {"Loop", "Scan"} & set(found)


@pytest.mark.parametrize(
    ("weights", "accuracy", "loss"), [("textgenrnn_weights", 0.473, 1.852), ("hacker_news", 0.911, 0.305)]
)
def test_textgenrnn_predicts_characters_as_well_as_it_did(keras2, shared_data, weights, accuracy, loss):
    folder = shared_data / "pretrained" / "textgenrnn"
    model = keras2.textgenrnn(folder / f"{weights}.hdf5")
    contexts, following = _places(folder)
    assert len(following) == 1579
    lowered = assert_parity(model, contexts[::40], tolerance=1e-4)
    (probabilities,) = onnx_outputs(session_of(optimise(lowered)), (contexts,))
    assert np.mean(probabilities.argmax(axis=-1) == following) == pytest.approx(accuracy, abs=5e-4)
    assert -np.log(probabilities[np.arange(len(following)), following]).mean() == pytest.approx(loss, abs=5e-4)


def _places(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Every third place of 119 titles: the 40 characters before, padded on the left, and the one that follows."""
    vocabulary = json.loads((folder / "textgenrnn_vocab.json").read_text(encoding="utf-8"))
    contexts, following = [], []
    for title in (folder / "hacker_news_2000.txt").read_text(encoding="utf-8").split("\n")[1:120]:
        ids = [vocabulary[token] for token in ("<s>", *title, "<s>") if token in vocabulary]
        contexts += [([0] * 40 + ids[:place])[-40:] for place in range(1, len(ids), 3)]
        following += ids[1::3]
    return np.array(contexts, np.int32), np.array(following)

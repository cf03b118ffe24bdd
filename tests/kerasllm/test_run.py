import json
from pathlib import Path

import numpy as np
import pytest

from kerasllm.data.augmentation import AugmentationConfig
from kerasllm.data.sources import DataConfig
from kerasllm.models.classifier import ClassifierConfig, build_classifier
from kerasllm.run import from_settings, open_run, to_settings
from kerasllm.tokenizing.tokenizer import TokenizerConfig, save_tokenizer, train_tokenizer
from kerasllm.training.settings import TrainingConfig

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONFIGS = (
    DataConfig(source="a.csv", augmentation=AugmentationConfig(swap=0.1), tfds_folder=Path("x/y")),
    TokenizerConfig(kind="char", file=Path("tokenizer.json")),
    ClassifierConfig(encoder="gru", vectors=Path("vectors.txt.gz")),
    TrainingConfig(drops=(0.1, 0.9), clip_norm=None),
)
TEXTS = ["good film", "bad", "a good , long film about nothing", "good film"]


@pytest.fixture
def folder(tmp_path):
    """A RUN as training leaves it, with an untrained model."""
    tokenizer = train_tokenizer(TEXTS, TokenizerConfig())
    save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    model = build_classifier(ClassifierConfig(embedding_dim=4, units=4), vocab_size=20, classes=2)
    model.save(tmp_path / "model.keras")
    config = {
        "format": 1,
        "labels": ["no", "yes"],
        "multi_label": False,
        "data": to_settings(DataConfig(source="builtin:reviews", limit=4)),
        "tokenizer": to_settings(TokenizerConfig(max_length=3)),
        "model": {},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_settings_survive_json(config):
    assert from_settings(type(config), json.loads(json.dumps(to_settings(config)))) == config


def test_an_opened_run_answers_in_the_order_of_the_texts(folder):
    run = open_run(folder)
    assert (run.labels, run.multi_label, run.max_length, run.finished) == (("no", "yes"), False, 3, False)
    scores = run.probabilities(TEXTS)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(scores[0], scores[3], atol=1e-6)
    assert np.abs(scores[0] - scores[1]).max() > 1e-6
    model, ids = run.load_model(), run.load_tokenizer().encode("a good , long").ids[:3]
    logits = model([np.array([ids], "int32"), np.ones((1, 3), "int32")]).numpy()[0]
    np.testing.assert_allclose(scores[2], np.exp(logits) / np.exp(logits).sum(), atol=1e-6)  # cut at max_length


def test_the_data_are_read_again(folder):
    dataset = open_run(folder).dataset()
    assert len(dataset.splits["train"]) == 4


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        open_run(tmp_path)


@pytest.mark.parametrize("name", ["model.keras", "tokenizer.json"])
def test_a_missing_file_is_named(name, folder):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        open_run(folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not one"),
        ("[]", "not one"),
        ('{"labels": []}', "not one"),
        ('{"format": 99}', "Upgrade kerasllm"),
        ('{"format": 1, "labels": []}', "lacks data"),
    ],
)
def test_a_config_that_is_none_of_ours_is_refused(content, reason, folder):
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match=f"Received: .*{reason}"):
        open_run(folder)

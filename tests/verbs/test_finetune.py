import json

import pytest

from kerasllm.cli import main
from kerasllm.run import open_run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def call(*words):
    with pytest.raises(SystemExit) as stop:
        main(["finetune", *map(str, words)])
    return stop.value.code


@pytest.fixture
def data(tmp_path):
    rows = [{"text": f"{word} film number {i}", "label": word} for i in range(30) for word in ("good", "bad")]
    (tmp_path / "films.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path / "films.jsonl"


def test_an_encoder_is_fitted_and_its_scores_are_shown(data, tmp_path, capsys):
    sizes = ["--encoder", "tiny", "--layers", 1, "--hidden", 16, "--intermediate", 16, "--heads", 2]
    options = ["--tokenizer.vocab-size", 80, "--epochs", 1, "--classification.pooling", "cls"]
    assert call(data, "--out", tmp_path / "run", *sizes, *options) == 0
    assert "accuracy" in capsys.readouterr().out
    config = open_run(tmp_path / "run").config
    assert config["head"]["pooling"] == "cls"
    assert config["training"]["schedule"] == "cosine"
    assert config["tokenizer"]["max_length"] == 128


def test_settings_of_another_tasks_head_are_refused(data, tmp_path, capsys):
    assert call(data, "--out", tmp_path / "run", "--embedding.temperature", 0.1) == 2
    assert "--task text-classification. Received: some of feature-extraction" in capsys.readouterr().err

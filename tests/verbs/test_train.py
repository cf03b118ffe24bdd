import json

import pytest

from kerasllm.cli import main
from kerasllm.run import open_run

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def call(*words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


def test_train_then_evaluate(tmp_path, capsys):
    out = tmp_path / "runs" / "reviews"
    words = ["train", "builtin:reviews", "--out", out, "--limit", 80, "--epochs", 1, "--encoder", "mlp", "--seed", 5]
    words += ["--tokenizer.kind", "char", "--drops", 0.2, "--no-clean"]
    assert call(*words) == 0
    assert "accuracy" in capsys.readouterr().out
    config = open_run(out).config
    assert (config["data"]["seed"], config["training"]["seed"]) == (5, 5)
    assert (config["model"]["encoder"], config["tokenizer"]["kind"]) == ("mlp", "char")
    assert (config["data"]["clean"], config["training"]["drops"]) == (False, [0.2])

    assert call(*words) == 2  # the folder is taken
    assert "--resume" in capsys.readouterr().err
    assert call(*words, "--resume") == 0
    assert "finished already" in capsys.readouterr().err

    assert call("evaluate", out, "--json", "--split", "validation") == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == open_run(out).metrics["validation"]["accuracy"]
    assert call("evaluate", out) == 0
    assert "macro average" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "builtin:nothing", "--out", "x"], "builtin:reviews"),
        (["train", "no-such.csv", "--out", "x"], "no-such.csv"),
        (["train", "builtin:reviews", "--out", "x", "--dropout", "2"], "`dropout`"),
        (["train", "builtin:reviews", "--out", "x", "--encoder", "tree"], "tree"),
        (["evaluate", "no-such-run"], "no-such-run"),
    ],
)
def test_bad_requests_end_with_one_sentence_and_leave_nothing(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(*words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_help_shows_the_settings_with_their_meaning(capsys):
    assert call("train", "--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "--encoder",
        "--tokenizer.vocab-size",
        "--learning-rate",
        "Training",
        "kerasllm train builtin:reviews",
    ):
        assert words in shown

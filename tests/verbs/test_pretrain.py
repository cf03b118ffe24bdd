"""`kerasllm pretrain`: the words of the command reach the run."""

import pytest

from kerasllm.run import open_run

from ..tasks.small import sentences

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_pretrain(tmp_path, command):
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text("\n\n".join(sentences()))
    out = tmp_path / "run"
    words = [
        tmp_path / "one.txt",
        tmp_path / "two.txt",
        "--out",
        out,
        "--encoder",
        "tiny",
        "--layers",
        1,
        "--hidden",
        16,
    ]
    words += ["--intermediate", 32, "--tokenizer.vocab-size", 120, "--tokenizer.max-length", 12, "--epochs", 1]
    result = command("pretrain", *words, "--whole-words", "--seed", 3, "--batch-size", 16)
    assert result.code == 0
    assert "perplexity" in result.out
    config = open_run(out).config
    assert [len(config["data"]["texts"]), config["data"]["seed"], config["training"]["seed"]] == [2, 3, 3]
    assert (config["head"]["whole_words"], config["batches"]["batch_size"]) == (True, 16)
    assert (config["training"]["schedule"], config["training"]["learning_rate"]) == ("cosine", 5e-4)


def test_refused(tmp_path, command):
    result = command("pretrain", tmp_path / "none.txt", "--out", tmp_path / "run")
    assert result.code == 2
    assert "none.txt" in result.err

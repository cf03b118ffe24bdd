import pytest

from kerasllm.run import open_run

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_a_bundle_teaches_a_run(command, bundle, tmp_path):
    lines = "negative\tbad film\npositive\tvery good film\n" * 10
    (tmp_path / "films.txt").write_text(lines)
    words = ["distill", bundle, tmp_path / "films.txt", "--out", tmp_path / "run", "--epochs", 1, "--seed", 3]
    words += ["--encoder", "mlp", "--temperature", 4, "--soft", 0.5, "--tokenizer.max-length", 6]
    result = command(*words)
    assert result.code == 0, result.err
    assert "accuracy" in result.out
    config = open_run(tmp_path / "run").config
    assert (config["distillation"]["temperature"], config["distillation"]["soft"]) == (4, 0.5)
    assert (config["teacher"]["path"], config["training"]["seed"]) == (str(bundle), 3)
    assert command(*words).code == 2  # the folder is taken


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no-such-teacher", "builtin:reviews"], "no-such-teacher"),
        (["no-such-teacher", "builtin:reviews", "--soft", 2], "`soft`"),
        (["no-such-teacher", "builtin:reviews", "--balance-classes"], "`balance_classes`"),
    ],
)
def test_bad_requests_end_with_one_sentence_and_leave_nothing(command, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = command("distill", *words, "--out", "run")
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []


def test_help_shows_the_settings_of_all_parts(command):
    shown = " ".join(command("distill", "--help").out.split())
    for words in ("--temperature", "--student.encoder", "--encoder", "--unlabelled", "TEACHER", "--learning-rate"):
        assert words in shown

import importlib
import subprocess
import sys

import pytest

from kerasllm.cli import VERBS, main


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kerasllm", *words], capture_output=True, text=True, check=False)


def test_help_names_every_verb_and_imports_no_framework():
    code = (
        "import sys, kerasllm.cli\n"
        "try: kerasllm.cli.main(['--help'])\n"
        "except SystemExit as exit: assert exit.code == 0\n"
        "heavy = {'tensorflow', 'keras', 'onnx', 'onnxruntime', 'sklearn', 'matplotlib', 'tokenizers'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for verb, summary in VERBS.items():
        assert verb in shown
        assert summary.split()[0] in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_exists_and_its_docstring_opens_with_its_summary(verb):
    function = getattr(importlib.import_module(f"kerasllm.verbs.{verb}"), verb)
    assert function.__doc__.splitlines()[0] == VERBS[verb]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["tarin"], 2, "tarin"),
        (["predict"], 2, "bundle"),
        (["predict", "no/such/bundle", "text"], 2, "no/such/bundle"),
        (["bench", "--nonsense"], 2, "--nonsense"),
    ],
)
def test_errors_are_one_sentence_with_an_exit_code(words, code, says):
    result = run(*words)
    assert result.returncode == code
    assert result.stdout == ""
    assert says.lower() in result.stderr.lower()
    assert len(result.stderr.strip().splitlines()) == 1


def test_debug_shows_the_traceback():
    result = run("predict", "no/such/bundle", "text", "--debug")
    assert result.returncode != 0
    assert "Traceback" in result.stderr


def test_failures_of_the_job_exit_with_one(monkeypatch, capsys):
    def full_disk(words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kerasllm.cli.build_app", lambda called, decoder: full_disk)
    with pytest.raises(SystemExit) as exit_:
        main(["train"])
    assert exit_.value.code == 1
    assert capsys.readouterr().err == "kerasllm: No space left on device\n"

from pathlib import Path

import pytest

from kerasllm.cli import main
from kerasllm.verbs.serve import name_bundles


def test_a_model_has_its_folders_name_or_the_given_one():
    assert name_bundles(("bundles/reviews", "chat=bundles/micro")) == {
        "reviews": Path("bundles/reviews"),
        "chat": Path("bundles/micro"),
    }


@pytest.mark.parametrize(("given", "message"), [(("a/x", "b/x"), "different names"), (("a b=x",), "letters, digits")])
def test_names_that_are_none(given, message):
    with pytest.raises(ValueError, match=message):
        name_bundles(given)


def test_a_setting_of_the_environment_is_checked(monkeypatch, capsys):
    monkeypatch.setenv("KERASLLM_SERVE_QUEUE", "none")
    with pytest.raises(SystemExit) as exit_:
        main(["serve", "bundle"])
    assert exit_.value.code == 2
    assert "KERASLLM_SERVE_QUEUE" in capsys.readouterr().err


def test_a_bundle_that_is_not_there_is_told_in_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["serve", str(tmp_path / "nothing"), "--port", "0"])
    assert exit_.value.code == 2
    assert "nothing" in capsys.readouterr().err

import json

from kerasllm.console import print_json, print_table


def test_brackets_are_text(capsys):
    print_table("pip install 'kerasllm[serving]'", ["label [/x]", "n"], [["[bold]", 1]])
    shown = capsys.readouterr().out
    assert "kerasllm[serving]" in shown
    assert "[bold]" in shown


def test_json_keeps_every_script(capsys):
    print_json({"label": "好"})
    shown = capsys.readouterr().out
    assert "好" in shown
    assert json.loads(shown) == {"label": "好"}

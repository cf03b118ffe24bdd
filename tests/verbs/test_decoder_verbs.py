"""`kerasllm pretrain --decoder` and `kerasllm finetune --decoder` have settings of their own."""

import pytest


@pytest.mark.parametrize(("verb", "file"), [("pretrain", "none.txt"), ("finetune", "none.jsonl")])
def test_refused(tmp_path, command, verb, file):
    result = command(verb, tmp_path / file, "--decoder", "nano", "--kv-heads", 2, "--out", tmp_path / "run")
    assert result.code == 2
    assert file in result.err

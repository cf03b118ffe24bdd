from pathlib import Path

import pytest

from kerasllm.pretrained.settings import backbone_config, read_json

from .folders import CONFIGS

HERE = Path("folder")


@pytest.mark.parametrize("kind", CONFIGS)
def test_sizes_are_read_under_each_architectures_names(kind):
    config = backbone_config({"model_type": kind, **CONFIGS[kind]}, HERE)
    assert (config.layers, config.heads, config.hidden, config.intermediate) == (2, 2, 8, 12)
    assert config.embedding == (4 if kind in ("albert", "electra") else 8)
    assert config.positions == (8 if kind == "roberta" else 10)
    assert config.activation == ("gelu_tanh" if kind == "albert" else "gelu")
    assert config.epsilon == (1e-12 if kind == "distilbert" else 1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, r"known architecture \(bert, .*model_type 'gpt2'"),
        ({"model_type": None}, "model_type None"),
        ({"hidden_size": None}, "hidden_size None"),
        ({"hidden_size": "8"}, "hidden_size '8'"),
        ({"vocab_size": 0}, "vocab_size 0"),
        ({"num_hidden_layers": 10**9}, "from 1 to 1000"),
        ({"num_attention_heads": 3}, "multiple of the attention heads. Received: 8 and 3"),
        ({"hidden_act": "mish"}, "activation must be one of gelu, .*'mish'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type must be 'absolute'"),
        ({"is_decoder": True}, "is_decoder must be False"),
    ],
)
def test_what_cannot_be_built_is_refused_in_a_sentence(changes, message):
    with pytest.raises(ValueError, match=message):
        backbone_config({"model_type": "bert", **CONFIGS["bert"], **changes}, HERE)


def test_groups_that_do_not_divide_the_layers_are_refused():
    with pytest.raises(ValueError, match=r"groups that share weights\. Received: 2 and 3"):
        backbone_config({"model_type": "albert", **CONFIGS["albert"], "num_hidden_groups": 3}, HERE)


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_a_broken_json_file_is_refused(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config\.json must"):
        read_json(tmp_path / "config.json")


def test_a_missing_json_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must hold a config\.json"):
        read_json(tmp_path / "config.json")

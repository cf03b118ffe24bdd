"""config.json has the family and the sizes of the encoder that is really inside."""

import keras
import pytest

from kerasllm.export.configs import model_config
from kerasllm.export.signature import read_signature
from kerasllm.models.encoder import EncoderConfig, open_encoder
from kerasllm.tasks.embedding import embedding_model

from .encoders import LABELS_OF, TASKS, bert_tokenizer, task_model

SIZES = {"layers": 2, "heads": 2, "hidden": 16, "intermediate": 24, "positions": 30}
COMMON = {
    "vocab_size": 28,
    "pad_token_id": 0,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 30,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
}
OWN = {
    "bert": {"architectures": ["BertModel"], "type_vocab_size": 2},
    "distilbert": {"architectures": ["DistilBertModel"], "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
    "albert": {"architectures": ["AlbertModel"], "embedding_size": 8, "num_hidden_groups": 1, "inner_group_num": 1},
    "electra": {"architectures": ["ElectraModel"], "embedding_size": 8},
}


def config_of(model: keras.Model, task: str, labels=(), tokenizer=None) -> dict:
    signature = read_signature(model, tokenizer or bert_tokenizer(), labels, task=task)
    return model_config(model, signature, labels, multi_label=False)


@pytest.mark.parametrize("family", OWN)
def test_family_and_sizes(family):
    encoder = open_encoder(EncoderConfig(encoder="tiny", architecture=family, **SIZES), bert_tokenizer())
    config = config_of(embedding_model(encoder), "feature-extraction")
    assert config["model_type"] == family
    assert {**config, **COMMON, **OWN[family]} == config
    assert "id2label" not in config


def test_a_roberta_counts_its_positions_from_behind_the_padding():
    renamed = bert_tokenizer().to_str().replace('"[PAD]":0', '"[PAD]":9').replace('"[UNK]":1', '"[PAD]":1')
    renamed = renamed.replace('"[PAD]":9', '"[UNK]":0').replace('"id":0,"content":"[PAD]"', '"id":0,"content":"[UNK]"')
    renamed = renamed.replace('"id":1,"content":"[UNK]"', '"id":1,"content":"[PAD]"')
    tokenizer = type(bert_tokenizer()).from_str(renamed)
    encoder = open_encoder(EncoderConfig(encoder="tiny", architecture="roberta", **SIZES), tokenizer)
    config = config_of(embedding_model(encoder), "feature-extraction", tokenizer=tokenizer)
    assert (config["model_type"], config["pad_token_id"], config["max_position_embeddings"]) == ("roberta", 1, 32)
    assert (config["architectures"], config["type_vocab_size"]) == (["RobertaModel"], 1)


CLASSES = ["BertForSequenceClassification", "BertForTokenClassification", "BertForQuestionAnswering", "BertModel"]


@pytest.mark.parametrize(("task", "name"), list(zip(TASKS, [*CLASSES, "BertForMaskedLM"], strict=True)))
def test_the_class_is_that_of_the_task(task, name):
    """In a backbone of KerasHub's own class, nested in the model."""
    labels = LABELS_OF.get(task, ())
    config = config_of(task_model(task), task, labels)
    assert config["architectures"] == [name]
    assert (config["num_hidden_layers"], config["hidden_size"], config["hidden_act"]) == (1, 32, "gelu_new")
    assert config.get("num_labels", 0) == len(labels)
    assert config.get("id2label", {}) == {str(index): label for index, label in enumerate(labels)}

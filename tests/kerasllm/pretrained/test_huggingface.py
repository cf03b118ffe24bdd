import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models

from kerasllm.models.encoder import EncoderConfig, open_encoder
from kerasllm.pretrained.huggingface import read_pretrained

from .folders import CONFIGS, random_tensors, write_folder
from .reference import hidden_states

IDS, TYPES = np.array([2, 5, 6, 9, 8, 3]), np.array([0, 0, 0, 1, 1, 1])


def word_tokenizer(folder, size=12):
    """A tokenizer.json for architectures whose own vocabularies are long."""
    vocab = {"<pad>": 1, "<unk>": 0, **{str(i): i for i in range(2, size)}}
    Tokenizer(models.WordLevel(vocab, unk_token="<unk>")).save(str(folder / "tokenizer.json"))
    return folder


def outputs(folder, segments=True):
    """The states of one text, in a row with padding after it, float32 [tokens, hidden]."""
    ids = np.pad(IDS, (0, 2))[None]
    inputs = {"token_ids": ids, "padding_mask": np.arange(8)[None] < 6}
    if segments:
        inputs["segment_ids"] = np.pad(TYPES, (0, 2))[None]
    model = open_encoder(EncoderConfig(encoder=str(folder))).backbone()
    return np.array(model({name: value.astype("int32") for name, value in inputs.items()}))[0, :6]


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_architecture_computes_what_its_paper_says(tmp_path, kind):
    folder = word_tokenizer(write_folder(tmp_path / kind, kind))
    segments = kind in ("bert", "albert", "electra")
    types = TYPES if segments else np.zeros(6, int)
    expected = hidden_states(kind, CONFIGS[kind], random_tensors(kind, CONFIGS[kind]), IDS, types)
    np.testing.assert_allclose(outputs(folder, segments), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("bert", {"hidden_act": "gelu_new"}),
        ("bert", {"layer_norm_eps": 0.5}),
        ("albert", {"num_hidden_layers": 4, "num_hidden_groups": 2}),
        ("electra", {"embedding_size": 8}),
    ],
)
def test_config_json_is_followed(tmp_path, kind, changes):
    config = CONFIGS[kind] | changes
    tensors = random_tensors(kind, config)
    folder = word_tokenizer(write_folder(tmp_path / kind, kind, tensors, **changes))
    expected = hidden_states(kind, config, tensors, IDS, TYPES)
    np.testing.assert_allclose(outputs(folder), expected, atol=2e-5)


def test_names_without_prefix_old_names_heads_and_shards_are_read(bert):
    tensors = load_file(bert / "model.safetensors")
    expected = outputs(bert)
    (bert / "model.safetensors").unlink()
    renamed = {
        name.removeprefix("bert.")
        .replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in tensors.items()
    }
    renamed |= {"pooler.dense.weight": np.ones((8, 8)), "cls.predictions.bias": np.ones(14)}
    renamed |= {"embeddings.position_ids": np.arange(10)}
    shards = {"model-1.safetensors": {}, "model-2.safetensors": {}}
    weight_map = {}
    for index, (name, tensor) in enumerate(renamed.items()):
        shard = f"model-{1 + index % 2}.safetensors"
        shards[shard][name], weight_map[name] = tensor, shard
    for shard, content in shards.items():
        save_file(content, bert / shard)
    (bert / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    np.testing.assert_array_equal(outputs(bert), expected)


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float64"])
def test_other_floating_point_types_become_float32(bert, dtype):
    tensors = {name: tensor.astype(dtype) for name, tensor in load_file(bert / "model.safetensors").items()}
    save_file(tensors, bert / "model.safetensors")
    wide = {name: tensor.astype("float64") for name, tensor in tensors.items()}
    expected = hidden_states("bert", CONFIGS["bert"], wide, IDS, TYPES)
    np.testing.assert_allclose(outputs(bert), expected, atol=2e-5)


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


LAST = "bert.encoder.layer.1.output.dense.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(LAST), rf"without 1 of 37, '{LAST.removeprefix('bert.')}'"),
        (lambda t: t.update({LAST: t[LAST].T.copy()}), r"is \[12, 8\] instead of \[8, 12\]"),
        (lambda t: t.update({LAST.replace(".1.", ".2."): t[LAST]}), "1 weights that have none, 'encoder.layer.2"),
        (lambda t: t.update({LAST.removeprefix("bert."): t[LAST]}), "must be there once"),
    ],
)
def test_weights_that_contradict_config_json_are_refused(bert, change, message):
    change_tensors(bert, change)
    with pytest.raises(ValueError, match=message):
        read_pretrained(bert)


@pytest.mark.parametrize(
    "changes",
    [{"num_hidden_layers": 1}, {"num_hidden_layers": 3}, {"vocab_size": 15}, {"max_position_embeddings": 9},
     {"hidden_size": 10}, {"intermediate_size": 13}, {"type_vocab_size": 1}],
)  # fmt: skip
def test_a_config_json_that_contradicts_the_weights_is_refused(tmp_path, changes):
    with pytest.raises(ValueError, match=r"config\.json"):
        read_pretrained(write_folder(tmp_path / "bert", **changes))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(bert, value):
    change_tensors(bert, lambda tensors: tensors[LAST].fill(value))
    with pytest.raises(ValueError, match="finite"):
        open_encoder(EncoderConfig(encoder=str(bert)))


def test_integer_weights_are_refused(bert):
    change_tensors(bert, lambda tensors: tensors.update({LAST: np.ones((8, 12), np.int8)}))
    with pytest.raises(ValueError, match="type I8"):
        open_encoder(EncoderConfig(encoder=str(bert)))


def test_a_tokenizer_with_more_ids_than_embeddings_is_refused(bert):
    word_tokenizer(bert, size=15)
    with pytest.raises(ValueError, match="14 embeddings for 15 ids"):
        open_encoder(EncoderConfig(encoder=str(bert)))

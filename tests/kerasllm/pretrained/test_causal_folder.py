import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kerasllm.models.decoder import DecoderConfig, open_decoder
from kerasllm.pretrained.causal_folder import read_causal_folder
from kerasllm.tokenizing.tokenizer import tokenizer_json

from .causal_folders import CONFIGS, TOKENIZER, random_decoder, write_decoder
from .causal_reference import logits

IDS = np.random.default_rng(1).integers(0, 264, 12)
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 3.0,
    "original_max_position_embeddings": 64,
}


def outputs(folder):
    """The logits of one text, in a row with padding after it, float32 [tokens, vocabulary]."""
    model = open_decoder(DecoderConfig(decoder=str(folder))).model()
    mask = (np.arange(14)[None] < 12).astype("int32")
    return np.array(model({"token_ids": np.pad(IDS, (0, 2))[None], "padding_mask": mask}))[0, :12]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("gpt2", {}),
        ("gpt2", {"n_inner": 64, "activation_function": "gelu_pytorch_tanh"}),
        ("llama", {}),
        ("llama", {"tie_word_embeddings": True, "num_key_value_heads": 4}),
        ("llama", {"rope_scaling": LLAMA3}),
        ("mistral", {}),
        ("mistral", {"sliding_window": 5}),
        ("mistral", {"rope_scaling": {"rope_type": "linear", "factor": 2.5}}),
        ("qwen2", {}),
        ("qwen2", {"tie_word_embeddings": False, "rope_scaling": {"rope_type": "linear", "factor": 2.5}}),
        ("qwen3", {}),
        ("qwen3", {"tie_word_embeddings": False, "rope_scaling": {"rope_type": "linear", "factor": 2.5}}),
    ],
)
def test_every_architecture_computes_what_its_paper_says(tmp_path, kind, changes):
    config = {"model_type": kind, **CONFIGS[kind], **changes}
    folder = write_decoder(tmp_path, kind, **changes)
    np.testing.assert_allclose(outputs(folder), logits(config, random_decoder(config), IDS), atol=1e-4, rtol=1e-4)


def test_a_decoder_says_what_its_folder_says(tmp_path):
    decoder = open_decoder(DecoderConfig(decoder=str(write_decoder(tmp_path, "qwen3")), dropout=0.2))
    assert (decoder.layers, decoder.heads, decoder.kv_heads, decoder.head_size, decoder.hidden) == (2, 4, 2, 6, 16)
    assert (decoder.context, decoder.vocab_size, decoder.shape.tied, decoder.shape.dropout) == (32, 264, True, 0.2)
    assert tokenizer_json(decoder.tokenizer) == tokenizer_json(TOKENIZER)


def test_new_folders_say_rotary_positions_in_one_place(tmp_path):
    folder = write_decoder(tmp_path / "old", "llama", rope_scaling=LLAMA3, rope_theta=500.0)
    rope = {**LLAMA3, "rope_theta": 500.0}
    new = write_decoder(tmp_path / "new", "llama", rope_theta=None, rope_parameters=rope)
    np.testing.assert_array_equal(outputs(new), outputs(folder))


def test_names_without_prefix_buffers_heads_and_other_types_are_read(tmp_path):
    folder = write_decoder(tmp_path, "gpt2")
    expected = outputs(folder)
    tensors = {
        name.removeprefix("transformer."): tensor for name, tensor in load_file(folder / "model.safetensors").items()
    }
    tensors |= {"h.0.attn.bias": np.ones((1, 1, 32, 32)), "lm_head.weight": tensors["wte.weight"].copy()}
    save_file(tensors, folder / "model.safetensors")
    np.testing.assert_array_equal(outputs(folder), expected)
    halves = {name: tensor.astype(ml_dtypes.bfloat16) for name, tensor in tensors.items()}
    save_file(halves, folder / "model.safetensors")
    wide = {f"transformer.{name}": tensor.astype("float64") for name, tensor in halves.items()}
    config = {"model_type": "gpt2", **CONFIGS["gpt2"]}
    np.testing.assert_allclose(outputs(folder), logits(config, wide, IDS), atol=1e-4, rtol=1e-4)


def test_gpt2_s_older_vocabulary_is_read(tmp_path):
    folder = write_decoder(tmp_path, "gpt2")
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(content["vocab"]))
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in content["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")
    own = read_causal_folder(folder).tokenizer
    text = "a very good film, 你好"
    assert own.encode(text).ids == TOKENIZER.encode(text).ids


LAST = "model.layers.1.mlp.down_proj.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(LAST), "without 1 of 21, 'layers.1.mlp.down_proj.weight'"),
        (lambda t: t.pop("lm_head.weight"), "without 1 of 21, 'lm_head.weight'"),
        (lambda t: t.update({LAST: t[LAST].T.copy()}), r"is \[24, 16\] instead of \[16, 24\]"),
        (lambda t: t.update({LAST.replace(".1.", ".2."): t[LAST]}), "1 weights that have none, 'layers.2.mlp"),
        (lambda t: t.update({"model.layers.0.self_attn.q_proj.bias": t[LAST]}), "that have none, '.*q_proj.bias'"),
        (lambda t: t.update({LAST.removeprefix("model."): t[LAST]}), "must be there once"),
    ],
)
def test_weights_that_contradict_config_json_are_refused(tmp_path, change, message):
    tensors = random_decoder({"model_type": "llama", **CONFIGS["llama"]})
    change(tensors)
    with pytest.raises(ValueError, match=message):
        read_causal_folder(write_decoder(tmp_path, tensors=tensors))


def test_a_quantized_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="quantization_config"):
        read_causal_folder(write_decoder(tmp_path, quantization_config={"bits": 4}))


def test_a_tokenizer_with_more_ids_than_embeddings_is_refused(tmp_path):
    with pytest.raises(ValueError, match="259 embeddings for 260 ids"):
        open_decoder(DecoderConfig(decoder=str(write_decoder(tmp_path, vocab_size=259, tensors=None))))

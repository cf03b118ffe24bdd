import json

import keras
import numpy as np
import pytest

from kerasllm.models.causal_models import DecoderShape
from kerasllm.models.decoder import DecoderConfig, load_causal_lm, open_decoder
from kerasllm.run import Run, open_run, to_settings
from kerasllm.tokenizing.decoder_tokenizer import DecoderTokenizerConfig, train_decoder_tokenizer
from kerasllm.tokenizing.tokenizer import save_tokenizer

# Keras's saving, under NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
TINY = {"layers": 2, "heads": 4, "hidden": 32, "context": 10}
KINDS = [("gpt2", True), ("llama", True), ("llama", False), ("mistral", False), ("qwen2", True), ("qwen3", True)]
IDS = np.array([[2, 5, 6, 3]])
TOKENIZER = train_decoder_tokenizer(["abcdefgh"], DecoderTokenizerConfig(kind="char"))


def scratch(architecture="llama", **options):
    return open_decoder(DecoderConfig(decoder="nano", architecture=architecture, **(TINY | options)), TOKENIZER)


def outputs(model, ids=IDS):
    return np.array(model({"token_ids": ids, "padding_mask": np.ones_like(ids)}))


@pytest.mark.parametrize(("architecture", "tied"), KINDS)
def test_a_decoder_from_scratch_has_the_sizes_it_is_asked_for(architecture, tied):
    kv_heads = 4 if architecture == "gpt2" else 2
    decoder = scratch(architecture, kv_heads=kv_heads, tied=tied, dropout=0.1)
    assert (decoder.layers, decoder.heads, decoder.kv_heads, decoder.head_size) == (2, 4, kv_heads, 8)
    assert (decoder.hidden, decoder.context, decoder.vocab_size) == (32, 10, 10)
    first, second = decoder.model(), decoder.model()
    assert first.output_shape == (None, None, 10)
    assert first.weights[0] is not second.weights[0]
    assert same_weights(first, second)
    assert any("reverse" in weight.path for weight in first.weights) != tied
    assert first.backbone.dropout == 0.1


def test_presets_have_their_sizes_and_gated_layers_as_many_weights():
    decoder = open_decoder(DecoderConfig(), TOKENIZER)
    assert (decoder.layers, decoder.heads, decoder.hidden, decoder.context) == (4, 4, 128, 128)
    assert (decoder.shape.architecture, decoder.shape.intermediate, decoder.shape.tied) == ("llama", 352, True)
    assert scratch("gpt2").shape.intermediate == 128


def same_weights(first, second):
    return all(np.array_equal(*pair) for pair in zip(first.get_weights(), second.get_weights(), strict=True))


def save_run(folder, opened, **changes):
    """What a training for text-generation leaves behind, as far as opening it needs."""
    folder.mkdir(exist_ok=True)
    model = opened.model()
    model.save(folder / "model.keras")
    save_tokenizer(opened.tokenizer, folder / "tokenizer.json")
    settings = {"format": 1, "task": "text-generation", "labels": [], "multi_label": False, "data": {}}
    settings |= {"tokenizer": {"max_length": 8}, "decoder": to_settings(opened.shape)}
    (folder / "config.json").write_text(json.dumps(settings | changes))
    return model


@pytest.mark.parametrize(("architecture", "tied"), KINDS[:3])
def test_a_run_is_all_that_is_needed_to_open_it(architecture, tied, tmp_path):
    saved = save_run(tmp_path, scratch(architecture, tied=tied, dropout=0.1))
    assert same_weights(open_run(tmp_path).load_model(), saved)
    decoder = open_decoder(DecoderConfig(decoder=str(tmp_path), dropout=0.3))
    assert same_weights(decoder.model(), saved)
    assert (decoder.shape.decoder, decoder.shape.dropout, decoder.context) == (str(tmp_path), 0.3, 10)


def test_later_tokens_are_not_seen():
    model = scratch().model()
    changed = IDS.copy()
    changed[0, -1] = 9
    np.testing.assert_array_equal(outputs(model, changed)[:, :-1], outputs(model)[:, :-1])
    assert np.abs(outputs(model, changed)[:, -1] - outputs(model)[:, -1]).max() > 1e-5


def test_weights_from_scratch_follow_keras_seed():
    def drawn(seed):
        keras.utils.set_random_seed(seed)
        return scratch().model()

    assert same_weights(drawn(1), drawn(1))
    assert not same_weights(drawn(1), drawn(2))


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_what_layers_add_starts_small(architecture):
    decoder = scratch(architecture, hidden=64, layers=8)
    deviations = {weight.path: np.std(weight.numpy()) for weight in decoder.model().weights}
    assert deviations["transformer_layer_3/self_attention/query/kernel"] == pytest.approx(0.02, rel=0.1)
    assert deviations["transformer_layer_3/self_attention/attention_output/kernel"] == pytest.approx(0.005, rel=0.1)
    assert deviations["transformer_layer_3/feedforward_output_dense/kernel"] == pytest.approx(0.005, rel=0.1)
    assert deviations["token_embedding/embeddings"] == pytest.approx(0.02, rel=0.01)


def test_no_more_than_the_context_is_read():
    scratch().check_length(10)
    with pytest.raises(ValueError, match=r"context of 10 tokens\. Received: 11"):
        scratch().check_length(11)


def test_a_run_of_another_task_is_refused(tmp_path):
    save_run(tmp_path, scratch(), task="fill-mask")
    with pytest.raises(ValueError, match=r"text-generation.*fill-mask"):
        load_causal_lm(Run(tmp_path))


@pytest.mark.parametrize("damage", ["numbers", "weights", "sizes"])
def test_a_damaged_run_is_refused(tmp_path, damage):
    decoder = scratch()
    section = to_settings(decoder.shape)
    if damage == "numbers":
        del section["layers"]
    elif damage == "sizes":
        section["intermediate"] = 64
    save_run(tmp_path, decoder, decoder=section)
    if damage == "weights":
        (tmp_path / "model.keras").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"model\.keras must hold the weights"):
        load_causal_lm(Run(tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "`layers` must be at least 1"),
        ({"dropout": 1.0}, "`dropout` must be from 0 to below 1"),
        ({"decoder": "folder", "layers": 2}, "from scratch only .*layers for 'folder'"),
        ({"decoder": "folder", "architecture": "gpt2"}, "architecture for 'folder'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DecoderConfig(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "multiple of 8 times the attention heads.*Received: 32 and 3"),
        ({"heads": 8}, "multiple of 8 times the attention heads.*Received: 32 and 8"),
        ({"kv_heads": 3}, "multiple of the heads of keys and values"),
        ({"architecture": "gpt2", "kv_heads": 2}, "for gpt2 as many. Received: 4 and 2"),
        ({"architecture": "gpt2", "tied": False}, "output matrix of gpt2"),
        ({"architecture": "mistral", "tied": True}, "that of mistral must not"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        scratch(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"head_size": 3, "hidden": 12}, "even size. Received: 3"),
        ({"window": 4}, "Only mistral has a window"),
        ({"rope_low": 1.0}, "as Llama 3.1 does"),
        ({"architecture": "qwen2", "rope_low": 1.0, "rope_high": 4.0, "rope_original": 8}, "as Llama 3.1 does"),
    ],
)
def test_positions_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        DecoderShape(**(to_settings(scratch().shape) | options))


def test_where_there_is_no_decoder_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nano, micro, small, a folder, or the name .*'nowhere'"):
        open_decoder(DecoderConfig(decoder="nowhere"))
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        open_decoder(DecoderConfig(decoder=str(tmp_path)))
    with pytest.raises(ValueError, match="needs a tokenizer"):
        open_decoder(DecoderConfig())


def test_a_run_has_its_own_tokenizer(tmp_path):
    save_run(tmp_path, scratch())
    other = train_decoder_tokenizer(["xyz"], DecoderTokenizerConfig(kind="char"))
    with pytest.raises(ValueError, match="its own tokenizer"):
        open_decoder(DecoderConfig(decoder=str(tmp_path)), other)

import keras
import keras_hub
import numpy as np
import pytest
from safetensors.numpy import load_file

from kerasllm.models.encoder import PRESETS, EncoderConfig, open_encoder
from kerasllm.pretrained.runs import cut_encoder
from kerasllm.tokenizing.bert_tokenizer import make_bert_tokenizer
from kerasllm.tokenizing.tokenizer import encode, encode_pairs

from ..pretrained.folders import WORDS, write_folder
from ..pretrained.reference import hidden_states

# Keras's saving, under NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
ARCHITECTURES = ("bert", "distilbert", "roberta", "albert", "electra")
TINY = {"layers": 2, "heads": 2, "hidden": 8, "intermediate": 12, "positions": 10}


def tokenizer():
    return make_bert_tokenizer(WORDS, lowercase=True)


def scratch(architecture="bert", **options):
    return open_encoder(EncoderConfig(encoder="tiny", architecture=architecture, **(TINY | options)), tokenizer())


def task_model(encoder, backbone=None):
    inputs = encoder.inputs()
    return keras.Model(inputs, encoder.hidden_state(backbone or encoder.backbone(), inputs))


def feed(encoder, ids, padding=0):
    """One text as a batch of one row, with padding on its right."""
    arrays = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return {name: np.pad(arrays[name], (0, padding)).astype("int32")[None] for name in encoder.inputs()}


IDS = np.array([2, 5, 6, 3])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_encoder_from_scratch_has_the_sizes_it_is_asked_for(architecture):
    encoder = scratch(architecture)
    assert (encoder.hidden, encoder.layers, encoder.max_length, encoder.vocab_size) == (8, 2, 10, 12)
    assert encoder.segments == (architecture in ("bert", "albert", "electra"))
    model = task_model(encoder)
    assert list(model.input) == list(encoder.inputs())
    assert task_model(encoder)(feed(encoder, IDS)).shape == (1, 4, 8)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_backbone_has_the_same_weights_and_they_survive_a_file(architecture, tmp_path):
    encoder = scratch(architecture)
    first, second = encoder.backbone(), encoder.backbone()
    assert first.weights[0] is not second.weights[0]
    model = task_model(encoder, first)
    expected = np.array(model(feed(encoder, IDS)))
    np.testing.assert_array_equal(task_model(encoder, second)(feed(encoder, IDS)), expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(feed(encoder, IDS)), expected)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_is_never_seen(architecture):
    encoder = scratch(architecture)
    model = task_model(encoder)
    padded = feed(encoder, IDS, padding=3)
    expected = np.array(model(feed(encoder, IDS)))
    np.testing.assert_allclose(model(padded)[:, :4], expected, atol=1e-6)
    padded["input_ids"][:, 4:] = 7
    np.testing.assert_allclose(model(padded)[:, :4], expected, atol=1e-6)


def test_weights_from_scratch_follow_keras_seed():
    keras.utils.set_random_seed(1)
    first = scratch().backbone().get_weights()
    keras.utils.set_random_seed(1)
    again = scratch().backbone().get_weights()
    other = scratch().backbone().get_weights()
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))


def test_dropout_is_on_in_training_alone_and_can_be_set():
    encoder = scratch(dropout=0.5)
    model = task_model(encoder)
    rates = {layer.rate for layer in model._flatten_layers() if isinstance(layer, keras.layers.Dropout)}
    assert rates == {0.5}
    still = np.array(model(feed(encoder, IDS)))
    np.testing.assert_array_equal(model(feed(encoder, IDS)), still)
    assert np.abs(np.array(model(feed(encoder, IDS), training=True)) - still).max() > 0.1
    quiet = scratch(dropout=0.0)
    model = task_model(quiet)
    np.testing.assert_allclose(model(feed(quiet, IDS), training=True), model(feed(quiet, IDS)), atol=1e-6)


def test_the_token_embedding_is_the_one_that_reads_the_ids():
    encoder = scratch("distilbert")
    backbone = encoder.backbone()
    assert encoder.token_embedding(backbone).embeddings is backbone.weights[0]


def test_a_preset_has_sizes_of_its_own():
    encoder = open_encoder(EncoderConfig(encoder="mini"), tokenizer())
    assert (encoder.layers, encoder.hidden, encoder.max_length) == (4, 256, 512)
    assert PRESETS.keys() == {"tiny", "mini", "small"}


@pytest.mark.parametrize("architecture", ["bert", "albert"])
def test_an_encoder_is_cut_out_of_a_task_model(architecture, tmp_path):
    encoder = scratch(architecture)
    inputs = encoder.inputs()
    states = encoder.hidden_state(encoder.backbone(), inputs)
    logits = keras.layers.Dense(3)(keras.layers.Dropout(0.1)(states[:, 0]))
    keras.Model(inputs, logits).save(tmp_path / "model.keras")
    cut = cut_encoder(keras.saving.load_model(tmp_path / "model.keras"), tmp_path)
    assert sorted(cut.input) == ["padding_mask", "segment_ids", "token_ids"]
    expected = task_model(encoder)(feed(encoder, IDS))
    np.testing.assert_array_equal(task_model(encoder, cut)(feed(encoder, IDS)), expected)


def test_a_model_without_transformer_layers_holds_no_encoder(tmp_path):
    ids = keras.Input((None,), dtype="int32", name="input_ids")
    model = keras.Model(ids, keras.layers.Embedding(5, 3)(ids))
    with pytest.raises(ValueError, match="must have transformer layers"):
        cut_encoder(model, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "`layers` must be at least 1"),
        ({"dropout": 1.0}, "`dropout` must be from 0 to below 1"),
        ({"encoder": "somewhere", "layers": 3}, "Sizes can be set from scratch only .*layers for 'somewhere'"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EncoderConfig(**options)


def test_sizes_that_do_not_fit_each_other_are_refused():
    with pytest.raises(ValueError, match="multiple of the attention heads"):
        scratch(heads=3)
    with pytest.raises(ValueError, match=r"albert and electra have embeddings of another size.*4 and 8 for bert"):
        scratch(embedding=4)


def test_an_encoder_from_scratch_needs_a_tokenizer_and_another_has_its_own(tmp_path):
    with pytest.raises(ValueError, match="needs a tokenizer"):
        open_encoder(EncoderConfig(encoder="tiny"))
    folder = write_folder(tmp_path / "bert")
    with pytest.raises(ValueError, match="has its own tokenizer"):
        open_encoder(EncoderConfig(encoder=str(folder)), make_bert_tokenizer(WORDS, lowercase=False))
    assert open_encoder(EncoderConfig(encoder=str(folder)), tokenizer()).max_length == 10


@pytest.mark.parametrize("name", ["nowhere", "sentence-transformers/all-MiniLM-L6-v2"])
def test_an_encoder_that_is_nowhere_is_refused(name):
    with pytest.raises(FileNotFoundError, match="none of them"):
        open_encoder(EncoderConfig(encoder=name))


def test_a_text_longer_than_the_positions_is_refused():
    encoder = scratch()
    encoder.check_length(10)
    with pytest.raises(ValueError, match=r"at most the encoder's 10 positions\. Received: 11"):
        encoder.check_length(11)


def test_a_kerashub_preset_gives_its_weights_and_its_vocabulary(tmp_path):
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 12, "max_sequence_length": 10}
    backbone = keras_hub.models.BertBackbone(vocabulary_size=12, **sizes)
    backbone.save_to_preset(str(tmp_path))
    keras_hub.models.BertTokenizer(WORDS, lowercase=True).save_to_preset(str(tmp_path))
    encoder = open_encoder(EncoderConfig(encoder=str(tmp_path)))
    assert (encoder.layers, encoder.max_length, encoder.vocab_size) == (2, 10, 12)
    ids = encode(encoder.tokenizer, ["A Gööd bad film"], 10)[0]
    assert ids.tolist() == [2, 5, 6, 8, 9, 7, 3]
    expected = backbone({"token_ids": ids[None], "segment_ids": 0 * ids[None], "padding_mask": 0 * ids[None] + 1})
    np.testing.assert_allclose(task_model(encoder)(feed(encoder, ids)), expected["sequence_output"], atol=1e-6)


def test_a_preset_of_another_kind_is_refused(tmp_path):
    sizes = {"num_layers": 1, "num_heads": 1, "hidden_dim": 4, "intermediate_dim": 4, "max_sequence_length": 4}
    keras_hub.models.GPT2Backbone(vocabulary_size=5, **sizes).save_to_preset(str(tmp_path))
    with pytest.raises(ValueError, match=r"known architecture .*'GPT2Backbone'"):
        open_encoder(EncoderConfig(encoder=str(tmp_path)))


def test_minilm_computes_what_its_paper_says(minilm):
    encoder = open_encoder(EncoderConfig(encoder=str(minilm)))
    assert (encoder.layers, encoder.hidden, encoder.max_length, encoder.vocab_size) == (6, 384, 512, 30522)
    ((ids, types),) = encode_pairs(encoder.tokenizer, ["Ada met Alan."], ["Where was it?"], 32)
    config = {"num_hidden_layers": 6, "num_attention_heads": 12}
    expected = hidden_states("bert", config, load_file(minilm / "model.safetensors"), ids, types)
    inputs = feed(encoder, ids) | {"token_type_ids": types[None].astype("int32")}
    np.testing.assert_allclose(task_model(encoder)(inputs)[0], expected, atol=2e-5)

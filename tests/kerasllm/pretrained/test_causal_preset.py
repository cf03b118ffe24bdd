import keras
import numpy as np
import pytest
from keras_hub import models as hub

from kerasllm.models.decoder import DecoderConfig, open_decoder

from .causal_folders import TOKENIZER

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SIZES = {"vocabulary_size": 264, "num_layers": 2, "hidden_dim": 16, "intermediate_dim": 24}
GROUPED = SIZES | {"num_query_heads": 4, "num_key_value_heads": 2}
LLAMA3 = {
    "rope_frequency_adjustment_factor": 4.0,
    "rope_low_freq_factor": 1.0,
    "rope_high_freq_factor": 3.0,
    "rope_pretraining_sequence_length": 64,
}
KINDS = {
    "gpt2": ("GPT2", SIZES | {"num_heads": 4, "max_sequence_length": 32}),
    "llama": ("Llama", GROUPED),
    "tied llama": ("Llama", GROUPED | {"tie_word_embeddings": True}),
    "llama3": ("Llama3", GROUPED | LLAMA3),
    "mistral": ("Mistral", GROUPED | {"sliding_window": 5, "rope_scaling_factor": 2.0, "head_dim": 6}),
    "qwen2": ("Qwen", GROUPED | {"rope_max_wavelength": 50.0}),
    "qwen3": ("Qwen3", GROUPED | {"head_dim": 6, "layer_norm_epsilon": 1e-5, "sliding_window_size": None}),
}
IDS = np.random.default_rng(0).integers(0, 264, (1, 9))


def outputs(model):
    return np.array(model({"token_ids": IDS, "padding_mask": np.ones_like(IDS)}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_preset_computes_what_kerashub_computes(tmp_path, kind):
    family, sizes = KINDS[kind]
    keras.utils.set_random_seed(0)
    model = getattr(hub, f"{family}CausalLM")(backbone=getattr(hub, f"{family}Backbone")(**sizes), preprocessor=None)
    model.backbone.save_to_preset(str(tmp_path / "preset"))
    decoder = open_decoder(DecoderConfig(decoder=str(tmp_path / "preset")), TOKENIZER)
    np.testing.assert_allclose(outputs(decoder.model()), outputs(model), atol=1e-6)
    assert decoder.shape.architecture == kind.removeprefix("tied ").removesuffix("3" if kind == "llama3" else "")
    assert decoder.context == (32 if kind == "gpt2" else 1024)


def test_gpt2_brings_its_own_tokenizer_and_others_their_length(tmp_path):
    vocabulary = {token: number for number, token in enumerate(["<|endoftext|>", "a", "Ġ", "b", "Ġb"])}
    tokenizer = hub.GPT2Tokenizer(vocabulary=vocabulary, merges=["Ġ b"])
    preprocessor = hub.GPT2CausalLMPreprocessor(tokenizer=tokenizer, sequence_length=16)
    backbone = hub.GPT2Backbone(**SIZES | {"num_heads": 4, "max_sequence_length": 32})
    hub.GPT2CausalLM(backbone=backbone, preprocessor=preprocessor).save_to_preset(str(tmp_path / "preset"))
    own = open_decoder(DecoderConfig(decoder=str(tmp_path / "preset"))).tokenizer
    assert own.encode("a b").ids == [1, 4]
    assert own.decode([1, 4]) == "a b"


def test_a_preset_without_a_tokenizer_that_can_be_read_needs_one(tmp_path):
    hub.LlamaBackbone(**GROUPED).save_to_preset(str(tmp_path / "preset"))
    with pytest.raises(ValueError, match=r"needs its tokenizer\.json"):
        open_decoder(DecoderConfig(decoder=str(tmp_path / "preset")))


def test_another_architecture_is_refused(tmp_path):
    sizes = SIZES | {"num_heads": 4, "max_sequence_length": 8}
    hub.BertBackbone(**sizes).save_to_preset(str(tmp_path / "preset"))
    with pytest.raises(ValueError, match=r"known architecture \(GPT2Backbone, .*'BertBackbone'"):
        open_decoder(DecoderConfig(decoder=str(tmp_path / "preset")))

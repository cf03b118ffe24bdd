"""Decoders' runs and folders, exported by one road."""

import json
import warnings
from dataclasses import asdict

import keras
import numpy as np
import pytest
from keras_hub import models as hub

from kerasllm.evaluation.report import evaluate
from kerasllm.export import export_source
from kerasllm.models.decoder import DecoderConfig, open_decoder
from kerasllm.serving import load
from kerasllm.serving.generation.session import DecodeSession
from tests.export.causal.test_bundle import tokenizer
from tests.kerasllm.pretrained.causal_folders import CONFIGS, TOKENIZER, random_decoder, write_decoder
from tests.kerasllm.pretrained.causal_reference import logits
from tests.kerasllm.pretrained.test_causal_preset import KINDS

TEXT = "the cat sat on the mat. a dog ran to the mat. then it was all still.\n" * 12

IDS = np.random.default_rng(1).integers(0, 264, 12)
WIDE = {"hidden_size": 32}  # four heads of 8: onnxruntime's operator takes nothing else than multiples of 8
LINEAR = {"rope_scaling": {"rope_type": "linear", "factor": 2.5}}
LLAMA3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 3.0}


@pytest.fixture
def run(tmp_path):
    """A RUN as training writes it, by hand: no epoch is needed to export it."""
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "text.txt").write_text(TEXT)
    tokenizer().save(str(folder / "tokenizer.json"))
    decoder = open_decoder(DecoderConfig(decoder="nano", layers=2, hidden=64, heads=4, context=24), tokenizer())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Keras, as it saves
        decoder.model().save(folder / "model.keras")
    config = {
        "format": 1,
        "task": "text-generation",
        "labels": [],
        "multi_label": False,
        "data": {"texts": [str(tmp_path / "text.txt")]},
        "tokenizer": {"max_length": 24},
        "decoder": asdict(decoder.shape),
        "head": {"chat_template": None, "ends": ["<|endoftext|>"]},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.json").write_text("{}")
    return folder


def test_a_run_and_its_bundle_score_the_same(run, tmp_path):
    manifest = export_source(run, tmp_path / "bundle", variants=("fp32", "int8"), max_drop=0.05)
    assert manifest["settings"] == {"eos_token_ids": [0], "bos_token_id": 0, "add_bos": True, "chat_template": False}
    ours, theirs = evaluate(run), evaluate(tmp_path / "bundle", variant="fp32")
    assert ours["perplexity"] == pytest.approx(theirs["perplexity"], rel=1e-5)
    assert ours["tokens"] == theirs["tokens"]
    assert manifest["variants"]["fp32"]["metric"]["value"] == pytest.approx(ours["perplexity"], rel=1e-5)
    assert evaluate(tmp_path / "bundle")["perplexity"] == pytest.approx(ours["perplexity"], rel=0.05)


def served(bundle):
    """The fp32 variant's logits of a text that it reads in two pieces, float32 [tokens, vocabulary]."""
    session = DecodeSession(load(bundle, variant="fp32").graph)
    return np.concatenate([session.extend(0, IDS[:5], keep=5), session.extend(0, IDS[5:], keep=7)])


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("gpt2", {"n_embd": 32}),
        ("llama", WIDE),
        ("llama", {"rope_scaling": LLAMA3 | {"original_max_position_embeddings": 64}, **WIDE}),
        ("mistral", {"head_dim": 8, **WIDE, **LINEAR}),
        ("qwen2", {**WIDE, **LINEAR}),
        ("qwen3", {"head_dim": 16, "tie_word_embeddings": False}),
    ],
)
def test_a_folder_becomes_a_bundle_that_computes_what_the_paper_says(tmp_path, kind, changes):
    config = {"model_type": kind, **CONFIGS[kind], **changes}
    folder = write_decoder(tmp_path / "folder", kind, **changes)
    export_source(folder, tmp_path / "bundle", variants=("fp32",))
    expected = logits(config, random_decoder(config), IDS)
    np.testing.assert_allclose(served(tmp_path / "bundle"), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, as it saves
def test_a_preset_becomes_a_bundle_that_computes_what_kerashub_computes(tmp_path):
    keras.utils.set_random_seed(0)
    backbone = hub.Llama3Backbone(**KINDS["llama3"][1] | {"hidden_dim": 32})
    backbone.save_to_preset(str(tmp_path / "preset"))
    export_source(tmp_path / "preset", tmp_path / "bundle", tokenizer=TOKENIZER, variants=("fp32",))
    model = hub.Llama3CausalLM(backbone=backbone, preprocessor=None)
    expected = np.array(model({"token_ids": IDS[None], "padding_mask": np.ones_like(IDS)[None]}))[0]
    np.testing.assert_allclose(served(tmp_path / "bundle"), expected, atol=1e-4, rtol=1e-4)

"""Decoders' runs and folders, exported by one road."""

import json
import warnings
from dataclasses import asdict

import pytest

from kerasllm.evaluation.report import evaluate
from kerasllm.export import export_source
from kerasllm.models.decoder import DecoderConfig, open_decoder
from tests.export.causal.test_bundle import tokenizer

TEXT = "the cat sat on the mat. a dog ran to the mat. then it was all still.\n" * 12


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

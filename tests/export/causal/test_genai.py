"""onnxruntime-genai opens a bundle and writes what kerasllm.serving does; it is no dependency of the project."""

import json
import os

import numpy as np
import pytest

from kerasllm.export import export_bundle
from kerasllm.serving import load
from tests.export.causal.decoders import CONTEXT, FAMILIES, small
from tests.export.causal.test_bundle import tokenizer


@pytest.fixture
def genai():
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    return pytest.importorskip("onnxruntime_genai", reason="onnxruntime-genai is not installed")


def check_tokens(genai, family, out, **options):
    """Exports a decoder and compares what both write."""
    model = small(family, layers=3)
    export_bundle(model, out, tokenizer=tokenizer(), task="text-generation", max_length=CONTEXT, **options)
    prompt = [5, 9, 11, 2]
    expected = load(out).generate(prompt, max_new_tokens=CONTEXT - len(prompt)).token_ids
    model = genai.Model(str(out))
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(max_length=CONTEXT, do_sample=False)
    generator = genai.Generator(model, parameters)
    generator.append_tokens(np.array(prompt, np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    ends = json.loads((out / "generation_config.json").read_text())["eos_token_id"]
    found = [int(token) for token in generator.get_sequence(0)][len(prompt) :]
    assert [token for token in found if token not in ends] == [token for token in expected if token not in ends]


@pytest.mark.parametrize("variant", ["fp32", "int8", "int4"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_greedy_tokens(genai, tmp_path, family, variant):
    check_tokens(genai, family, tmp_path / "bundle", variants=(variant,))


@pytest.mark.parametrize("variant", ["fp32", "int8", "int4"])
def test_weights_beside_the_graph(genai, tmp_path, variant):
    out = tmp_path / "bundle"
    check_tokens(genai, "llama", out, variants=(variant,), inline_limit=10_000)
    assert list(out.rglob("*.onnx_data"))

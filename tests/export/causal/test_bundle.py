import json

import numpy as np
import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from kerasllm.export import ExportError, export_bundle
from kerasllm.serving import load
from tests.export.causal.decoders import CONTEXT, VOCABULARY, calm, small

TEXTS = ["the cat sat on the mat and the dog sat on the cat", "a dog ran to the mat", "then it was all still"]


def tokenizer() -> tokenizers.Tokenizer:
    """Characters, and a token that ends texts at id 0."""
    letters = ["<|endoftext|>", "<unk>", *"abcdefghijklmnopqrstuvwxyz ."]
    found = tokenizers.Tokenizer(models.WordLevel({c: i for i, c in enumerate(letters)}, unk_token="<unk>"))
    found.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    found.decoder = decoders.Fuse()
    found.add_special_tokens(["<|endoftext|>"])
    return found


def export(model, out, **options):
    options = {"max_length": CONTEXT, "validation": TEXTS, "task": "text-generation", "max_drop": 10.0, **options}
    return export_bundle(model, out, tokenizer=tokenizer(), **options)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    out = tmp_path_factory.mktemp("decoder") / "bundle"
    template = "{% for message in messages %}{{ message.content }}{% endfor %}"
    manifest = export(
        calm(small("llama", layers=3)),
        out,
        variants=("fp32", "int8", "int4", "fp16", "portable"),
        settings={"chat_template": template},
    )
    return out, manifest


def test_the_manifest_says_how_the_model_is_fed_and_what_was_measured(bundle):
    _, manifest = bundle
    assert manifest["cache"] == {"layers": 3, "kv_heads": 2, "head_size": 16}
    assert manifest["settings"] == {
        "eos_token_ids": [0],
        "bos_token_id": None,
        "add_bos": False,
        "chat_template": True,
    }
    assert manifest["default_variant"] == "int8"
    fp32, int8, int4 = (manifest["variants"][name] for name in ("fp32", "int8", "int4"))
    assert fp32["parity"]["max_abs_difference"] < fp32["parity"]["bound"]
    assert fp32["parity"]["agreement"] == 1
    assert abs(int8["metric"]["drop"]) < 0.01
    assert 0 < int8["parity"]["max_abs_difference"] < 0.2 < int4["parity"]["max_abs_difference"]
    assert manifest["variants"]["portable"]["parity"]["max_abs_difference"] < fp32["parity"]["bound"]
    assert int4["bytes"] < int8["bytes"] < fp32["bytes"] / 2


def test_every_variant_that_can_be_served_goes_on_with_a_text(bundle):
    out, _ = bundle
    ids = [5, 9, 11]
    written = {name: load(out, variant=name).generate(ids, max_new_tokens=6).token_ids for name in ("fp32", "fp16")}
    assert len(written["fp32"]) > 0
    for name in ("int8", "int4"):
        logits = load(out, variant=name).logits(ids)
        assert logits.shape == (3, VOCABULARY)
        assert np.isfinite(logits).all()


def test_other_programs_find_the_sizes_under_their_own_names(bundle):
    out, _ = bundle
    config, genai = (json.loads((out / name).read_text()) for name in ("config.json", "genai_config.json"))
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert (config["num_key_value_heads"], config["head_dim"], config["max_position_embeddings"]) == (2, 16, CONTEXT)
    assert (out / genai["model"]["decoder"]["filename"]).is_file()
    assert genai["model"]["context_length"] == CONTEXT
    assert (out / "chat_template.jinja").read_text() == json.loads((out / "tokenizer_config.json").read_text())[
        "chat_template"
    ]


def test_a_context_as_short_as_what_is_compared_can_be_portable(tmp_path):
    manifest = export(small("gpt2"), tmp_path / "out", variants=("fp32", "portable"))
    assert manifest["variants"]["portable"]["parity"]["agreement"] == 1


def test_a_variant_that_loses_too_much_is_not_written(tmp_path):
    with pytest.raises(ExportError, match="perplexity of int8 may rise by at most"):
        export(small("gpt2"), tmp_path / "out", max_length=None, max_drop=-1.0)
    assert not (tmp_path / "out").exists()


def test_a_window_shorter_than_the_context_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"transformer_layer_0.*sliding window of 16.*max_length=16"):
        export(small("mistral", window=16), tmp_path / "out")


def test_heads_that_the_operator_does_not_take_are_refused(tmp_path):
    with pytest.raises(ExportError, match="multiple of 8 wide"):
        export(small("llama", hidden=48), tmp_path / "out")


def test_a_model_with_rotary_positions_must_be_given_its_context(tmp_path):
    with pytest.raises(ValueError, match="no max_length"):
        export(small("llama"), tmp_path / "out", max_length=None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 3}, "must be one of eos_token_ids"),
        ({"eos_token_ids": [VOCABULARY]}, "below 61"),
        ({"add_bos": True}, "add_bos without bos_token_id"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        export(small("gpt2"), tmp_path / "out", max_length=None, settings=settings)

"""`kerasllm generate`: prompts from arguments, a file or standard input; texts as they are written, or as JSON."""

import io
import json
import sys

import pytest

from kerasllm.serving import load

from ..serving.generation.tiny_decoder import Sizes, make_weights, write_decoder
from ..serving.handmade import write_bundle

SIZES = Sizes()


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decoder")
    return write_decoder(folder / "bundle", make_weights(SIZES), SIZES)


@pytest.fixture(scope="module")
def generator(decoder):
    return load(decoder)


def test_the_text_of_each_prompt(command, decoder, generator):
    result = command("generate", decoder, "hello", "abc", "--max-new-tokens", "8", "--threads", "1")
    texts = [each.text for each in generator.generate(["hello", "abc"], max_new_tokens=8)]
    assert result == (0, "".join(f"{text}\n" for text in texts), "")


def test_json_has_all_of_it(command, decoder, generator):
    words = ("--n", "2", "--do-sample", "--seed", "4", "--max-new-tokens", "5", "--logprobs", "--top-logprobs", "2")
    answer = json.loads(command("generate", decoder, "hello", *words, "--stop", "zz", "--stop", "yy", "--json").out)
    options = {"n": 2, "do_sample": True, "seed": 4, "max_new_tokens": 5, "logprobs": True, "top_logprobs": 2}
    expected = generator.generate("hello", **options)
    assert answer["prompt"] == "hello"
    for got, result in zip(answer["generations"], expected, strict=True):
        assert (got["text"], got["token_ids"], got["finish_reason"]) == (result.text, result.token_ids, "length")
        assert got["logprobs"] == pytest.approx([each.logprob for each in result.logprobs])
        assert [each["token"] for each in got["top_logprobs"][0]] == [each.token for each in result.top_logprobs[0]]
        assert "score" not in got


def test_a_file_and_standard_input(command, decoder, generator, tmp_path, monkeypatch):
    (tmp_path / "p.jsonl").write_text('{"prompt": "hello", "id": 1}\n"abc"\n')
    words = ("--max-new-tokens", "4", "--num-beams", "2")
    expected = [each.text for each in generator.generate(["hello", "abc"], max_new_tokens=4, num_beams=2)]
    assert command("generate", decoder, "--file", tmp_path / "p.jsonl", *words).out == "\n".join([*expected, ""])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello\nabc\n")))
    assert command("generate", decoder, *words).out == "\n".join([*expected, ""])


def test_a_schema_from_a_file_or_as_it_is(command, decoder, tmp_path):
    pytest.importorskip("llguidance", reason="the extra `constrained` is not installed")
    (tmp_path / "schema.json").write_text('{"enum": ["yes", "no"]}')
    for schema in (tmp_path / "schema.json", '{"enum": ["yes", "no"]}'):
        assert command("generate", decoder, "hello", "--json-schema", schema).out in ('"yes"\n', '"no"\n')


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["hello", "--temperature", "0.7"], "Set do_sample=True"),
        (["hello", "--stop", ""], "A stop string must have a character"),
        (["hello", "--max-new-tokens", "0"], "whole number from 1"),
        ([""], "must have a character"),
        (["x" * 64], "must leave room in the model's context of 64 tokens"),
        (["hello", "--json-schema", "nowhere.json"], "no JSON schema at nowhere.json"),
        (["hello", "--variant", "int4"], "Received: 'int4'"),
    ],
)
def test_bad_requests_end_in_one_sentence(command, decoder, words, says):
    result = command("generate", decoder, *words)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_bundles_and_verbs_that_do_not_fit(command, decoder, tmp_path):
    other = write_bundle(tmp_path / "b")
    assert "Received: a bundle for text-classification. Use kerasllm predict." in command("generate", other, "x").err
    assert "a bundle for text-generation. Use kerasllm generate." in command("predict", decoder, "x").err


def test_help_names_the_options_and_what_they_mean(command):
    result = command("generate", "--help")
    assert result.code == 0
    for word in ("--top-p", "--stop", "--num-beams", "--prompt-lookup-num-tokens", "--json-schema"):
        assert word in result.out
    assert "--logit-bias" not in result.out

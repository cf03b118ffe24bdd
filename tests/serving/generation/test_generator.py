"""Generated texts are those of a loop that keeps nothing: alone, in batches, in streams, and by chance."""

import numpy as np
import pytest

from kerasllm.serving import BundleError, load

from .conftest import SIZES
from .tiny_decoder import byte_tokenizer, greedy, write_decoder

PROMPTS = ["a", "hello wörld", "efgh" * 5, "x y z", "qq", "日本"]


@pytest.fixture(scope="module")
def expected(weights, generator):
    """The oracle's tokens for every prompt."""
    return [greedy(weights, SIZES, generator.prompt_ids(prompt), 25) for prompt in PROMPTS]


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_greedy_tokens_are_those_of_the_oracle(generator, expected, batch_size):
    results = generator.generate(PROMPTS, max_new_tokens=25, batch_size=batch_size)
    assert [result.token_ids for result in results] == expected
    for prompt, result in zip(PROMPTS, results, strict=True):
        assert result.text == generator.tokenizer.decode(result.token_ids)
        assert result.prompt_tokens == len(prompt.encode())


def test_one_prompt_gives_one_text_however_it_is_written(generator):
    text = generator.generate("abc", max_new_tokens=5)
    assert generator.generate(generator.prompt_ids("abc"), max_new_tokens=5) == text
    assert generator.generate(np.array(generator.prompt_ids("abc")), max_new_tokens=5) == text
    assert generator.generate(["abc"], max_new_tokens=5) == [text]


def test_the_context_ends_a_text(generator):
    result = generator.generate("a" * 60, max_new_tokens=100, min_new_tokens=100)
    assert (len(result.token_ids), result.finish_reason) == (SIZES.context - 60, "length")


def test_a_stream_gives_the_text_in_pieces(generator):
    whole = generator.generate("hello", max_new_tokens=30)
    pieces = list(generator.stream("hello", max_new_tokens=30))
    assert "".join(piece.text for piece in pieces) == whole.text
    assert [token for piece in pieces for token in piece.token_ids] == whole.token_ids
    assert [piece.finish_reason for piece in pieces] == [None] * (len(pieces) - 1) + [whole.finish_reason]


def test_the_end_token_ends_a_text_and_is_no_part_of_it(bundle, tmp_path, weights, generator):
    tokens = generator.generate("hello", max_new_tokens=20).token_ids
    end = tokens[10]
    settings = {"eos_token_ids": [256, end], "bos_token_id": None, "add_bos": False}
    other = load(write_decoder(tmp_path / "b", weights, SIZES, settings=settings))
    result = other.generate("hello", max_new_tokens=20)
    assert result.finish_reason == "stop"
    assert result.token_ids == tokens[: tokens.index(end)]
    longer = other.generate("hello", max_new_tokens=20, min_new_tokens=20)
    assert (len(longer.token_ids), end in longer.token_ids) == (20, False)


def test_the_start_token_is_put_before_texts_alone(tmp_path, weights):
    settings = {"eos_token_ids": [], "bos_token_id": 256, "add_bos": True}
    model = load(write_decoder(tmp_path / "b", weights, SIZES, settings=settings))
    assert model.prompt_ids("a") == [256, *byte_tokenizer().encode("a").ids]
    assert model.prompt_ids([5]) == [5]
    with pytest.raises(ValueError, match=r"Give the token ids \[256\] to start from nothing"):
        model.generate("")


def test_seeds_draw_the_same_whatever_is_beside(generator):
    options = {"do_sample": True, "temperature": 1.5, "seed": 7, "max_new_tokens": 12}
    alone = generator.generate("hello", **options)
    assert generator.generate("hello", **options) == alone
    assert generator.generate(["x", "hello"], **options)[1].token_ids == alone.token_ids
    several = generator.generate("hello", n=4, batch_size=3, **options)
    assert several[0].token_ids == alone.token_ids
    assert len({tuple(each.token_ids) for each in several}) == 4
    other = generator.generate("hello", **{**options, "seed": 8})
    assert other.token_ids != alone.token_ids


def test_a_stop_string_ends_the_text_before_it(generator):
    whole = generator.generate("hello", max_new_tokens=30)
    stop = whole.text[6:9]
    for options in ({"stop": stop}, {"stop": ["never there", stop]}):
        result = generator.generate("hello", max_new_tokens=30, **options)
        assert (result.text, result.finish_reason) == (whole.text[: whole.text.index(stop)], "stop")
        assert "".join(p.text for p in generator.stream("hello", max_new_tokens=30, **options)) == result.text


def test_logprobs_are_those_of_the_model(generator):
    result = generator.generate(
        "hello", max_new_tokens=6, logprobs=True, top_logprobs=3, do_sample=True, top_k=5, seed=1
    )
    ids = generator.prompt_ids("hello")
    logits = generator.logits(ids + result.token_ids)[len(ids) - 1 : -1].astype(np.float64)
    expected = logits - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
    expected -= logits.max(-1, keepdims=True)
    for row, token, chosen, top in zip(expected, result.token_ids, result.logprobs, result.top_logprobs, strict=True):
        assert chosen == (token, pytest.approx(row[token], abs=1e-3))
        assert [each.token for each in top] == np.argsort(-row)[:3].tolist()
        assert [each.logprob for each in top] == pytest.approx(np.sort(row)[::-1][:3], abs=1e-3)


@pytest.mark.parametrize(
    ("prompt", "options", "says"),
    [
        ("", {}, "must have a character"),
        ([], {}, "There must be a prompt"),
        ([[]], {}, "at least one token"),
        ("a" * 64, {}, "must leave room in the model's context of 64 tokens"),
        ([1] * 90, {}, "at most 64 tokens"),
        ([5, 260], {}, r"in 0\.\.259, the model's vocabulary\. Received: 260"),
        ([-1], {}, "Received: -1"),
        ("a", {"logit_bias": {260: 1.0}}, "logit_bias must name tokens"),
        ("a", {"batch_size": 0}, "batch_size"),
    ],
)
def test_prompts_that_are_none(generator, prompt, options, says):
    with pytest.raises(ValueError, match=says):
        generator.generate(prompt, **options)


@pytest.mark.parametrize("prompt", [None, 3, {"a": 1}, [1.5, 2.5], ["a", None], [True, "a"]])
def test_what_is_neither_text_nor_ids(generator, prompt):
    with pytest.raises(TypeError):
        generator.generate(prompt)


def test_streams_have_one_text_and_refuse_at_once(generator):
    with pytest.raises(ValueError, match="A stream has one text"):
        generator.stream("a", n=2, do_sample=True)
    with pytest.raises(TypeError, match="one prompt"):
        generator.stream(["a", "b"])
    with pytest.raises(ValueError, match="must have a character"):
        generator.stream("")
    with pytest.raises(TypeError, match="max_tokens"):
        generator.stream("a", max_tokens=3)


def test_the_tokenizer_of_another_model_is_refused(tmp_path, weights):
    tokenizer = byte_tokenizer("one", "two", "three", "four")
    with pytest.raises(BundleError, match="token id 260, and its graph knows 260 tokens"):
        load(write_decoder(tmp_path / "b", weights, SIZES, tokenizer=tokenizer))


def test_the_variant_for_other_runtimes_is_refused(tmp_path, weights):
    folder = write_decoder(tmp_path / "b", weights, SIZES, variant="portable")
    with pytest.raises(ValueError, match="for other runtimes"):
        load(folder)


def test_a_manifest_that_differs_from_the_graph_is_refused(tmp_path, weights):
    wrong = {"layers": 2, "kv_heads": 3, "head_size": 16}
    with pytest.raises(BundleError, match="differ in keys and values"):
        load(write_decoder(tmp_path / "a", weights, SIZES, cache=wrong))
    with pytest.raises(BundleError, match="differ in inputs"):
        load(write_decoder(tmp_path / "b", weights, SIZES, cache={**wrong, "layers": 3}))
    with pytest.raises(BundleError, match="must be positive"):
        load(write_decoder(tmp_path / "c", weights, SIZES, cache={**wrong, "layers": 0}))

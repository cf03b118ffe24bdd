"""Beam search finds what a search through all texts finds, where it looks at enough of them."""

import itertools

import numpy as np
import pytest

from kerasllm.serving import load
from kerasllm.serving.generation.beams import _arrange
from kerasllm.serving.generation.session import DecodeSession

from .tiny_decoder import Sizes, byte_tokenizer, forward, make_weights, write_decoder

SMALL = Sizes(vocabulary=260, context=16, layers=1)
LETTERS = [64, 65, 66]  # all but these and the end are banned
END = 256


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    weights = make_weights(SMALL, seed=5)
    weights["head"][:, [i for i in range(260) if i not in (*LETTERS, END)]] = 0
    bias = {i: -1000.0 for i in range(260) if i not in (*LETTERS, END)}
    folder = write_decoder(tmp_path_factory.mktemp("beams") / "b", weights, SMALL, byte_tokenizer())
    return load(folder, threads=1), weights, bias


def log_softmax(row):
    return row - row.max() - np.log(np.exp(row - row.max()).sum())


def every_text(weights, prompt, length):
    """(log probability, tokens, whether it ended) of every text of up to `length` tokens."""
    for size in range(length + 1):
        for tokens in itertools.product(LETTERS, repeat=size):
            ids = [*prompt, *tokens]
            logs = [log_softmax(row) for row in forward(weights, SMALL, ids).astype(np.float64)]
            logprob = sum(logs[len(prompt) - 1 + i][token] for i, token in enumerate(tokens))
            if size == length:
                yield logprob, list(tokens), False
            else:
                yield logprob + logs[-1][END], list(tokens), True


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
def test_wide_beams_find_the_best_of_all_texts(small, penalty):
    generator, weights, bias = small
    length = 3
    scored = [
        (logprob / (len(tokens) + ended) ** penalty, tokens)
        for logprob, tokens, ended in every_text(weights, [1, 2], length)
    ]
    expected = sorted(scored, reverse=True)[:3]
    options = {"num_beams": 30, "n": 3, "length_penalty": penalty, "logit_bias": bias, "max_new_tokens": length}
    results = generator.generate([1, 2], **options)
    assert [each.token_ids for each in results] == [tokens for _, tokens in expected]
    assert [each.score for each in results] == pytest.approx([score for score, _ in expected], abs=1e-3)


def test_one_of_the_best_beams_is_as_good_as_greedy(generator):
    for prompt in ("hello", "abc", "x"):
        beams = generator.generate(prompt, num_beams=4, max_new_tokens=10)
        assert len(beams.token_ids) <= 10
        assert beams.text == generator.tokenizer.decode(beams.token_ids)
        ids = generator.prompt_ids(prompt)
        logs = [log_softmax(row) for row in generator.logits(ids + beams.token_ids).astype(np.float64)]
        total = sum(logs[len(ids) - 1 + i][token] for i, token in enumerate(beams.token_ids))
        if beams.finish_reason == "length":
            assert beams.score == pytest.approx(total / len(beams.token_ids), abs=1e-3)


def test_a_list_of_prompts_with_several_beams_each(generator):
    results = generator.generate(["a", "b"], num_beams=3, n=2, max_new_tokens=5)
    assert [len(each) for each in results] == [2, 2]
    assert results[1][0] == generator.generate("b", num_beams=3, max_new_tokens=5)
    assert all(each[0].score >= each[1].score for each in results)


@pytest.mark.parametrize("sources", list(itertools.product(range(3), repeat=3)))
def test_slots_are_arranged_whatever_their_order(generator, sources):
    session = DecodeSession(generator.graph, 4)
    for slot in range(3):
        session.extend(slot, [slot] * (slot + 1))
    before = [[buffer[slot].copy() for buffer in session._buffers] for slot in range(3)]
    _arrange(session, sources)
    for target, source in enumerate(sources):
        assert session.ids[target] == [source] * (source + 1)
        for buffer, old in zip(session._buffers, before[source], strict=True):
            np.testing.assert_array_equal(buffer[target, :, : source + 1], old[:, : source + 1])

"""Choosing tokens, held to the plain formulas of Hugging Face's processors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kerasllm.serving.generation.options import GenerationOptions
from kerasllm.serving.generation.sampling import Sampler, best, candidates, draw, nucleus, score

LOGITS = arrays.arrays(np.float32, st.integers(1, 1000), elements=st.floats(-20, 20, width=32, allow_nan=False))


def softmax(scores):
    powers = np.exp(scores.astype(np.float64) - scores.max())
    return powers / powers.sum()


def plain(scores, options):
    """Probabilities after each of the warpers in turn, by sorting all there is."""
    scores = scores.astype(np.float64) / (options.temperature or 1)
    if options.top_k is not None and options.top_k < len(scores):
        scores = np.where(scores < np.sort(scores)[-options.top_k], -np.inf, scores)
    if options.top_p is not None and options.top_p < 1:
        order = np.argsort(-scores, kind="stable")
        before = np.cumsum(softmax(scores)[order]) - softmax(scores)[order]
        scores[order[before >= options.top_p]] = -np.inf
    if options.min_p:
        shares = softmax(scores)
        scores = np.where(shares < options.min_p * shares.max(), -np.inf, scores)
    return softmax(scores)


@settings(max_examples=200, deadline=None)
@given(
    LOGITS,
    st.none() | st.floats(0.1, 5),
    st.none() | st.integers(1, 400),
    st.none() | st.floats(0.01, 1),
    st.none() | st.floats(0, 1),
)
def test_candidates_have_the_probabilities_of_the_plain_way(scores, temperature, top_k, top_p, min_p):
    scores = scores + np.arange(len(scores), dtype=np.float32) * 1e-3  # which of equals stay is nobody's promise
    options = GenerationOptions(do_sample=True, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    expected = plain(scores, options)
    tokens, weights = candidates(scores, options)
    got = np.zeros(len(scores))
    got[slice(None) if tokens is None else tokens] = weights / weights.sum(dtype=np.float64)
    differ = ((got > 0) != (expected > 0)) & (np.maximum(got, expected) > 1e-9)  # less than that may be no number
    edge = np.flatnonzero(differ)  # at a threshold, rounding decides
    if not len(edge):
        np.testing.assert_allclose(got, expected, atol=1e-5)
    else:
        assert len(edge) <= 1
        edged = max(got[edge[0]], expected[edge[0]])
        np.testing.assert_allclose(np.delete(got, edge), np.delete(expected, edge), atol=edged + 1e-5)


@settings(max_examples=200, deadline=None)
@given(LOGITS, st.integers(1, 310))
def test_the_best_are_those_of_a_sort(scores, count):
    assert best(scores, count).tolist() == np.argsort(-scores, kind="stable")[:count].tolist()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4000, 9000), st.floats(0.05, 1), st.booleans())
def test_a_nucleus_of_thousands(seed, size, share, equal):
    weights = np.random.default_rng(seed).random(size).astype(np.float32)
    if equal:
        weights = np.ceil(weights * 4) / np.float32(4)
    places = nucleus(weights, share)
    inside, outside = weights[places], np.delete(weights, places)
    assert len(set(places.tolist())) == len(places)
    assert not len(outside) or inside.min() >= outside.max()
    whole = weights.sum(dtype=np.float64)
    assert inside.sum(dtype=np.float64) >= share * whole * (1 - 1e-9)
    assert inside.sum(dtype=np.float64) - inside.min() < share * whole * (1 + 1e-9)


@settings(max_examples=200, deadline=None)
@given(
    arrays.arrays(np.float32, st.integers(1, 500), elements=st.floats(0, 1, width=32)),
    st.floats(0, 1, exclude_max=True),
)
def test_draws_find_the_place_in_the_running_sum(weights, chance):
    weights[len(weights) // 2] += 0.5
    place = draw(weights, chance)
    assert weights[place] > 0
    reached = np.cumsum(weights.astype(np.float64))
    near = 1e-5 * reached[-1]
    assert reached[place] - weights[place] - near <= chance * reached[-1] <= reached[place] + near


def test_draws_have_the_frequencies_of_the_probabilities():
    scores = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    sampler = Sampler(GenerationOptions(do_sample=True, seed=0), [], 4)
    counts = np.bincount([sampler.choose(scores) for _ in range(4000)], minlength=4)
    np.testing.assert_allclose(counts / 4000, np.exp(scores), atol=0.03)


def test_the_repetition_penalty_counts_the_prompt_and_the_text():
    sampler = Sampler(GenerationOptions(repetition_penalty=2.0), [0, 0, 1], 4)
    assert sampler.choose(np.array([4, -1, 2.1, -1.5], np.float32)) == 2  # 2, -2, 2.1, -1.5
    assert sampler.choose(np.array([4, -1, 2.1, -1.5], np.float32)) == 0  # 2, -2, 1.05, -1.5
    assert sampler.choose(np.array([-1, -1, -1, -1.9], np.float32)) == 3


def test_presence_and_frequency_penalties_count_the_text_alone():
    sampler = Sampler(GenerationOptions(presence_penalty=1.0, frequency_penalty=0.5), [0, 0, 0], 2)
    logits = np.array([2, 0.2], np.float32)
    assert [sampler.choose(logits) for _ in range(4)] == [0, 0, 1, 0]  # 2; 0.5; 0 beside 0.2; 0 beside -1.3


def test_penalties_of_many_tokens():
    sampler = Sampler(GenerationOptions(frequency_penalty=100.0), [], 300)
    logits = np.linspace(1, 0, 300, dtype=np.float32)
    assert [sampler.choose(logits) for _ in range(300)] == list(range(300))


def test_biases_and_banned_tokens():
    logits = np.zeros(5, np.float32)
    given = logits.copy()
    sampler = Sampler(GenerationOptions(logit_bias={3: 1.0, 4: 2.0}), [], 5)
    assert sampler.choose(logits) == 4
    assert sampler.choose(logits, [4]) == 3
    assert sampler.choose(logits, np.array([False, True, False, True, True])) == 0
    np.testing.assert_array_equal(logits, given)
    drawn = Sampler(GenerationOptions(do_sample=True, top_k=2, seed=0), [], 5)
    assert {drawn.choose(logits, [0, 1, 2, 3]) for _ in range(20)} == {4}


def test_scores_are_log_probabilities():
    logits = np.array([1, 3, 2], np.float32)
    chosen, others = score(logits, 0, 2)
    logs = np.log(softmax(logits))
    assert chosen == (0, pytest.approx(logs[0]))
    assert others == [(1, pytest.approx(logs[1])), (2, pytest.approx(logs[2]))]

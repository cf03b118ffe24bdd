"""Guesses are what followed before, and change no text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving.generation.lookup import PromptLookup
from kerasllm.serving.generation.session import DecodeSession

from .conftest import SIZES
from .tiny_decoder import greedy


def plain(ids, count):
    """What followed the last run of three, or of two, where it was last before the end; and so on in a circle."""
    for length in (3, 2):
        for end in range(len(ids) - 1, length - 1, -1):
            if len(ids) > length and ids[end - length : end] == ids[-length:]:
                again = list(ids)
                for place in range(end, end + count):
                    again.append(again[place])
                return again[len(ids) :] if end + count > len(ids) else ids[end : end + count]
    return []


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=10), st.integers(1, 6))
def test_guesses_are_those_of_a_search(prompt, more, count):
    lookup = PromptLookup(prompt, count)
    for place, token in enumerate(more):
        lookup.push(token)
        assert lookup.guess() == plain([*prompt, *more[: place + 1]], count)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([7, 90, 200]), min_size=1, max_size=6),
    st.integers(1, 6),
    st.integers(1, 8),
    st.integers(1, 60),
)
def test_guessing_never_changes_the_tokens(generator, weights, run, times, count, length):
    prompt = (run * times)[: SIZES.context - 2]
    expected = greedy(weights, SIZES, prompt, length)
    result = generator.generate(prompt, max_new_tokens=length, prompt_lookup_num_tokens=count)
    assert result.token_ids == expected


@pytest.mark.parametrize("options", [{}, {"do_sample": True, "seed": 3, "top_k": 3}, {"frequency_penalty": 0.3}])
def test_guessing_goes_with_every_way_to_choose(generator, options):
    prompt = "ab ab ab ab ab"
    options = {**options, "max_new_tokens": 40, "stop": "zzz", "logprobs": True}
    plain = generator.generate(prompt, **options)
    guessed = generator.generate(prompt, prompt_lookup_num_tokens=4, **options)
    assert (guessed.token_ids, guessed.text) == (plain.token_ids, plain.text)
    assert [each.logprob for each in guessed.logprobs] == pytest.approx(
        [each.logprob for each in plain.logprobs], abs=1e-3
    )


def test_right_guesses_save_runs(generator, monkeypatch):
    """With a bias a text repeats itself for ever: most of it is guessed."""
    runs = []
    monkeypatch.setattr(DecodeSession, "step", count_calls(DecodeSession.step, runs))
    monkeypatch.setattr(DecodeSession, "extend", count_calls(DecodeSession.extend, runs))
    bias = {65: 1000.0}
    result = generator.generate("abc", max_new_tokens=41, logit_bias=bias, prompt_lookup_num_tokens=7)
    assert result.token_ids == [65] * 41
    assert len(runs) < 12


def count_calls(function, calls):
    def counted(*arguments, **named):
        calls.append(1)
        return function(*arguments, **named)

    return counted

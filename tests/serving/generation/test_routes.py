"""All roads to the most likely tokens lead to the same: 200 prompts, and a loop that keeps nothing as the oracle."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from .conftest import SIZES
from .tiny_decoder import greedy

LENGTH = 8


@pytest.fixture(scope="module")
def prompts():
    """Of 1 to 24 tokens; some repeat themselves."""
    random = np.random.default_rng(0)
    drawn = [random.integers(0, 255, random.integers(1, 13)).tolist() for _ in range(200)]
    return [ids * 2 if number % 2 else ids for number, ids in enumerate(drawn)]


@pytest.fixture(scope="module")
def expected(weights, prompts):
    return [greedy(weights, SIZES, ids, LENGTH) for ids in prompts]


def tokens(results):
    return [result.token_ids for result in results]


def test_alone(generator, prompts, expected):
    assert tokens(generator.generate(ids, max_new_tokens=LENGTH) for ids in prompts) == expected


@pytest.mark.parametrize("batch_size", [5, 200])
def test_batches_of_prompts_of_different_lengths(generator, prompts, expected, batch_size):
    assert tokens(generator.generate(prompts, max_new_tokens=LENGTH, batch_size=batch_size)) == expected


def test_guessed_and_checked(generator, prompts, expected):
    options = {"max_new_tokens": LENGTH, "prompt_lookup_num_tokens": 4}
    assert tokens(generator.generate(ids, **options) for ids in prompts) == expected


def test_from_kept_prompts(generator, prompts, expected):
    options = {"max_new_tokens": LENGTH, "prompt_cache": True}
    generator.generate(prompts[0], **options)
    again = [ids for ids in prompts for _ in range(2)]
    twice = [ids for ids in expected for _ in range(2)]
    assert tokens(generator.generate(ids, **options) for ids in again) == twice


def test_without_keys_and_values(generator, prompts, expected):
    for ids, wanted in zip(prompts[:40], expected, strict=False):
        written = list(ids)
        for token in wanted:
            assert int(generator.logits(written)[-1].argmax()) == token
            written.append(token)


def test_from_several_threads_at_once(generator, prompts, expected):
    def write(place):
        return generator.generate(prompts[place], max_new_tokens=LENGTH, prompt_cache=bool(place % 2)).token_ids

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(write, range(80))) == expected[:80]

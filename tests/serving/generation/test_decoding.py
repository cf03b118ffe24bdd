"""Texts join and leave a running batch; each is what it would be alone, and no prompt makes the others wait."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving.generation.decoding import Decoding, common
from kerasllm.serving.generation.options import GenerationOptions
from kerasllm.serving.generation.session import DecodeSession

from .test_idle import record_reads


def opened(generator, slots=3, chunk=8):
    return Decoding(DecodeSession(generator.graph, slots), chunk=chunk)


def begin(generator, prompt, **options):
    return generator.begin(generator.prompt_ids(prompt), GenerationOptions(**options))


def finish(decoding):
    while decoding.running:
        decoding.advance()


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    texts=st.lists(
        st.tuples(st.text("ab", min_size=1, max_size=30), st.integers(1, 9), st.booleans(), st.integers(0, 4)),
        min_size=1,
        max_size=8,
    ),
    slots=st.integers(1, 4),
    chunk=st.sampled_from([1, 5, 64]),
)
def test_whoever_comes_and_goes_every_text_is_what_it_is_alone(generator, texts, slots, chunk):
    """Texts of few letters, so that many begin alike; `idle` rounds pass before each."""
    decoding, begun = opened(generator, slots, chunk), []
    for seed, (prompt, length, chance, idle) in enumerate(texts):
        options = {"max_new_tokens": length, "do_sample": chance, "seed": seed}
        for _ in range(idle):
            decoding.advance()
        while not decoding.free:
            decoding.advance()
        begun.append((begin(generator, prompt, **options), generator.generate(prompt, **options)))
        decoding.start(begun[-1][0])
    finish(decoding)
    for text, expected in begun:
        assert text.result() == expected


def test_others_have_a_token_every_round_while_a_long_prompt_is_read(generator):
    decoding = opened(generator, chunk=8)
    short, long = begin(generator, "a", max_new_tokens=40), begin(generator, "b" * 40, max_new_tokens=2)
    decoding.start(short)
    decoding.advance()
    decoding.start(long)
    for round_ in range(1, 5):  # 40 tokens are read in 5 rounds
        assert decoding.advance() == [short]
        assert len(short.token_ids) == 1 + round_
    assert decoding.advance() == [short, long]


def test_a_short_prompt_does_not_wait_for_a_long_one(generator):
    decoding = opened(generator, chunk=8)
    long, short = (begin(generator, prompt, max_new_tokens=9) for prompt in ("b" * 40, "a"))
    decoding.start(long)
    decoding.start(short)
    decoding.advance()
    assert decoding.advance() == [short]


def test_a_beginning_is_read_once_while_it_is_in_any_slot(generator, monkeypatch):
    decoding, read = opened(generator, chunk=64), record_reads(monkeypatch)
    decoding.start(begin(generator, "hello you", max_new_tokens=2))
    finish(decoding)
    assert (read, decoding.prompt_tokens) == ([9], 9)
    decoding.start(begin(generator, "hello me", max_new_tokens=30))
    decoding.advance()
    decoding.start(begin(generator, "hello me again", max_new_tokens=2))  # the other one is being written
    decoding.start(begin(generator, "hello me", max_new_tokens=2))  # after which the logits are not known any more
    decoding.advance()
    assert read == [9, 2, 6, 2]


@pytest.mark.parametrize(("reuse_written", "expected"), [(False, [5, 7]), (True, [5, 2])])
def test_what_was_written_is_read_again_unless_allowed(generator, monkeypatch, reuse_written, expected):
    decoding, read = opened(generator, chunk=64), record_reads(monkeypatch)
    decoding = Decoding(decoding.session, reuse_written=reuse_written)
    first = begin(generator, "hello", max_new_tokens=6)
    decoding.start(first)
    finish(decoding)
    prompt = [*generator.prompt_ids("hello"), *first.token_ids, 1]
    decoding.start(generator.begin(prompt, GenerationOptions(max_new_tokens=1)))
    finish(decoding)
    assert read == expected


def test_prompts_that_are_read_at_once_share_the_work(generator, monkeypatch):
    decoding, read = opened(generator, chunk=8), record_reads(monkeypatch)
    texts = [begin(generator, "x" * 30, max_new_tokens=1) for _ in range(3)]
    for text in texts:
        decoding.start(text)
    finish(decoding)
    assert sum(read) == 30
    assert texts[0].result() == texts[1].result() == texts[2].result()


def test_a_new_text_takes_the_slot_unused_for_longest(generator):
    decoding = opened(generator)
    for prompt in ("ab", "cd", "ef", "gh"):
        decoding.start(begin(generator, prompt, max_new_tokens=1))
        finish(decoding)
    held = {tuple(ids[:2]) for ids in decoding.session.ids}
    assert held == {tuple(generator.prompt_ids(prompt)) for prompt in ("cd", "ef", "gh")}


@pytest.mark.parametrize("rounds", [0, 1, 6])
def test_a_text_that_is_stopped_frees_its_slot(generator, rounds):
    decoding = opened(generator, slots=2, chunk=8)
    gone, stays = begin(generator, "x" * 30, max_new_tokens=20), begin(generator, "y", max_new_tokens=20)
    decoding.start(gone)
    decoding.start(stays)
    for _ in range(rounds):
        decoding.advance()
    decoding.stop(gone)
    assert (decoding.running, decoding.free) == (1, 1)
    later = begin(generator, "xxz", max_new_tokens=5)
    decoding.start(later)
    finish(decoding)
    assert stays.result() == generator.generate("y", max_new_tokens=20)
    assert later.result() == generator.generate("xxz", max_new_tokens=5)


def test_an_error_of_a_text_is_its_own_and_that_of_a_run_is_everybodys(generator, monkeypatch):
    decoding = opened(generator)
    one, other = begin(generator, "a", max_new_tokens=20), begin(generator, "b", max_new_tokens=20)
    decoding.start(one)
    decoding.start(other)
    decoding.advance()
    monkeypatch.setattr(one, "take", lambda logits: [][0])
    assert set(decoding.advance()) == {one, other}
    assert isinstance(one.error, IndexError)
    assert (other.error, decoding.running) == (None, 1)
    monkeypatch.setattr(DecodeSession, "step", lambda *_: [][0])
    assert decoding.advance() == [other]
    assert isinstance(other.error, IndexError)
    assert decoding.free == 3
    monkeypatch.undo()
    decoding.start(again := begin(generator, "a", max_new_tokens=20))
    finish(decoding)
    assert again.result() == generator.generate("a", max_new_tokens=20)


def test_an_error_while_a_prompt_is_read_ends_that_text(generator, monkeypatch):
    decoding = opened(generator)
    decoding.start(text := begin(generator, "abc"))
    monkeypatch.setattr(DecodeSession, "extend", lambda *_, **__: [][0])
    assert decoding.advance() == [text]
    assert isinstance(text.error, IndexError)
    assert decoding.running == 0


@pytest.mark.parametrize(("first", "second", "expected"), [([], [1], 0), ([2], [1], 0), ([1, 2], [1, 2, 3], 2)])
def test_how_many_tokens_are_alike(first, second, expected):
    assert common(first, second) == common(second, first) == expected

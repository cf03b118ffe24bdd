"""What was read of a prompt is used again, by who starts alike, within bounds."""

import pytest

from kerasllm.serving.generation.idle import IdleSessions
from kerasllm.serving.generation.session import DecodeSession

OPTIONS = {"max_new_tokens": 6, "prompt_cache": True}


def record_reads(monkeypatch):
    """A list that grows by the number of tokens of every read."""
    read, extend = [], DecodeSession.extend

    def recorded(self, slot, ids, **named):
        read.append(len(ids))
        return extend(self, slot, ids, **named)

    monkeypatch.setattr(DecodeSession, "extend", recorded)
    return read


def test_a_prompt_that_starts_alike_is_read_from_there(generator, monkeypatch):
    first = generator.generate("a long beginning, then", **OPTIONS)
    read = record_reads(monkeypatch)
    prompt = [*generator.prompt_ids("a long beginning, then"), *first.token_ids, 1, 2]
    second = generator.generate(prompt, **OPTIONS)
    assert read == [3]  # the last token of the answer was never read, and two new ones
    assert second.token_ids == generator.generate(prompt, max_new_tokens=6).token_ids
    read.clear()
    assert generator.generate(prompt, **OPTIONS).token_ids == second.token_ids
    assert read == [2]  # the logits after the last tokens are needed
    read.clear()
    generator.generate(prompt, max_new_tokens=6)
    assert read == [len(prompt)]


def test_a_stream_that_was_left_gives_its_session_back(generator):
    stream = generator.stream("one two three", max_new_tokens=20, prompt_cache=True)
    next(stream)
    stream.close()
    whole = generator.generate("one two three", max_new_tokens=20)
    assert generator.generate("one two three", max_new_tokens=20, prompt_cache=True).token_ids == whole.token_ids


def test_the_longest_start_is_taken_and_the_oldest_forgotten(generator):
    idle = IdleSessions(generator.graph, most=2)
    sessions = [DecodeSession(generator.graph) for _ in range(3)]
    for session, ids in zip(sessions, ([1, 2], [3, 4], [3, 4, 5]), strict=True):
        session.extend(0, ids)
        idle.give_back(session)
    assert idle.take([1, 2, 3]) not in sessions
    assert idle.take([3, 4, 5, 6]) is sessions[2]
    assert idle.take([3, 4, 5, 6]) is sessions[1]
    assert idle.take([3, 4, 5, 6]) not in sessions


@pytest.mark.parametrize(("n", "length"), [(4, 1), (4, 2), (7, 5)])
def test_texts_of_one_prompt_read_it_once(generator, monkeypatch, n, length):
    read = record_reads(monkeypatch)
    generator.generate(["hello", "you"], n=n, batch_size=4, do_sample=True, max_new_tokens=length)
    assert read == [5, 3]

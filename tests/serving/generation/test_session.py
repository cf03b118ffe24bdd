"""One buffer of keys and values, held to a decoder that keeps nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving.generation.session import DecodeSession, piece_size

from .conftest import SIZES
from .tiny_decoder import forward

CLOSE = {"rtol": 1e-3, "atol": 1e-3}


def test_logits_of_a_whole_text(generator, weights):
    ids = list(range(40, 80))
    np.testing.assert_allclose(generator.logits(ids), forward(weights, SIZES, ids), **CLOSE)


def test_pieces_of_a_prompt_give_what_the_whole_gives(generator, weights):
    ids = list(range(30))
    expected = forward(weights, SIZES, ids)
    for piece in (1, 7, 29, 30):
        session = DecodeSession(generator.graph)
        np.testing.assert_allclose(session.extend(0, ids, keep=10, piece=piece), expected[-10:], **CLOSE)
        assert session.ids == [ids]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_whatever_is_done_to_slots_they_hold_their_texts(generator, weights, data):
    """Extend, step, truncate, copy and swap in any order: the logits are those of the texts, read anew."""
    session, texts = DecodeSession(generator.graph, 3), [[], [], []]
    token = st.integers(0, SIZES.vocabulary - 1)
    for slot in range(3):
        texts[slot] = data.draw(st.lists(token, min_size=1, max_size=12))
        session.extend(slot, texts[slot])
    for _ in range(data.draw(st.integers(1, 8))):
        slot = data.draw(st.integers(0, 2))
        action = data.draw(st.sampled_from(["extend", "step", "truncate", "copy", "swap"]))
        if action == "extend":
            more = data.draw(st.lists(token, min_size=1, max_size=4))
            texts[slot] = texts[slot] + more
            logits = {slot: session.extend(slot, more)[-1]}
        elif action == "step":
            tokens = data.draw(st.lists(token, min_size=1, max_size=3))
            texts = [text + tokens[i : i + 1] for i, text in enumerate(texts)]
            logits = dict(enumerate(session.step(tokens)))
        elif action == "truncate":
            texts[slot] = texts[slot][: data.draw(st.integers(1, len(texts[slot])))]
            session.truncate(slot, len(texts[slot]))
            continue
        elif action == "swap":
            other = data.draw(st.integers(0, 2))
            texts[slot], texts[other] = texts[other], texts[slot]
            session.swap(slot, other)
            continue
        else:
            source = data.draw(st.integers(0, 2))
            texts[slot] = texts[source]
            session.copy(source, slot)
            continue
        assert session.ids == texts
        for place, values in logits.items():
            np.testing.assert_allclose(values, forward(weights, SIZES, texts[place])[-1], **CLOSE)


def test_memory_is_that_of_the_context_at_most(generator):
    session = DecodeSession(generator.graph)
    assert session.bytes == 0
    session.extend(0, [1])
    per_token = SIZES.layers * 2 * SIZES.kv_heads * SIZES.head_size * 4
    for _ in range(SIZES.context - 1):
        session.step([5])
    assert session.bytes == SIZES.context * per_token


def test_past_and_present_are_the_same_memory(generator):
    session = DecodeSession(generator.graph)
    session.extend(0, [1, 2, 3])
    addresses = [buffer.ctypes.data for buffer in session._buffers]
    session.step([4])
    assert addresses == [buffer.ctypes.data for buffer in session._buffers]
    assert all(buffer[0, :, :4].any(axis=-1).all() and not buffer[0, :, 4:].any() for buffer in session._buffers)


@pytest.mark.parametrize("count", [1, 3])
def test_steps_bind_nothing_anew(generator, count):
    session = DecodeSession(generator.graph, count)
    for slot in range(count):
        session.extend(slot, [slot + 1])
    session.reserve(SIZES.context)
    session.step([7] * count)
    bound = session._step
    for _ in range(20):
        session.step([7] * count)
    assert session._step is bound


@settings(deadline=None, max_examples=200, derandomize=True)
@given(tokens=st.integers(1, 700), most=st.integers(1, 600))
def test_no_run_of_a_prompt_has_a_row_by_itself(tokens, most):
    """Whatever the pieces: one row in the last block of 128 would be rounded otherwise."""
    sizes, left = [], tokens
    while left:
        sizes.append(piece_size(left, most))
        left -= sizes[-1]
    assert all(0 < size <= max(most, 3) and size % 128 != 1 for size in sizes) or tokens == 1

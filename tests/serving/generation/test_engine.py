"""Many callers of one engine: each is told of its own texts, and these are what they are alone."""

import threading
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from kerasllm.serving.errors import Closed, QueueFull
from kerasllm.serving.generation.decoding import Decoding
from kerasllm.serving.generation.engine import DecodeEngine
from kerasllm.serving.generation.options import GenerationOptions
from kerasllm.serving.generation.session import DecodeSession

PATIENCE = 30  # seconds until a test that hangs fails


@pytest.fixture
def opened(generator):
    """Makes engines, which are closed after the test."""
    engines = []

    def make(**sizes):
        engines.append(DecodeEngine(generator, **sizes))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close(finish=False)


@pytest.fixture
def held(monkeypatch):
    """Steps wait for this event."""
    go, step = threading.Event(), DecodeSession.step

    def waiting(self, tokens):
        assert go.wait(PATIENCE)
        return step(self, tokens)

    monkeypatch.setattr(DecodeSession, "step", waiting)
    yield go
    go.set()


class Listener:
    """Submits, and collects what it is told."""

    def __init__(self, engine, prompt, **options):
        self.prompt, self.options = prompt, options
        self.news = SimpleQueue()
        ids = engine.generator.prompt_ids(prompt)
        self.ticket = engine.submit(ids, GenerationOptions(**options), lambda *news: self.news.put(news))

    def next(self):
        return self.news.get(timeout=PATIENCE)

    def rest(self):
        """All pieces up to the last one of every text, by text."""
        pieces = [[] for _ in self.ticket.texts]
        while not all(each and each[-1].finish_reason for each in pieces):
            index, piece = self.next()
            if isinstance(piece, Exception):
                raise piece
            pieces[index].append(piece)
        return pieces


def wait_until(condition):
    for _ in range(PATIENCE * 1000):
        if condition():
            return
        threading.Event().wait(0.001)
    raise AssertionError("It never came true.")


def test_texts_of_many_callers_are_those_of_generate(opened, generator):
    engine = opened(slots=3, chunk=8)
    asked = [
        ("ab" * (1 + seed % 13), {"max_new_tokens": 1 + seed % 9, "seed": seed, "do_sample": True, "n": 1 + seed % 3})
        for seed in range(24)
    ]
    with ThreadPoolExecutor(8) as pool:
        listeners = list(pool.map(lambda each: Listener(engine, each[0], **each[1]), asked))
    for listener, (prompt, options) in zip(listeners, asked, strict=True):
        pieces, expected = listener.rest(), generator.generate(prompt, **options)
        expected = expected if options["n"] > 1 else [expected]
        assert [text.result() for text in listener.ticket.texts] == expected
        assert ["".join(piece.text for piece in each) for each in pieces] == [each.text for each in expected]
        assert [each[-1].finish_reason for each in pieces] == [each.finish_reason for each in expected]
    wait_until(lambda: engine.running == engine.waiting == 0)
    assert engine.generated_tokens >= sum(len(text.token_ids) for each in listeners for text in each.ticket.texts)
    assert engine.steps > 0
    assert 0 < engine.prompt_tokens <= sum(len(prompt) for prompt, _ in asked)


def test_a_ticket_of_many_texts_lets_others_in(opened, held):
    """Of two slots, the second ticket gets the first that is free, though the first one's texts came before."""
    engine = opened(slots=1)
    first = Listener(engine, "a", max_new_tokens=2, n=6, do_sample=True)
    second = Listener(engine, "b", max_new_tokens=2)
    order = []
    for listener in (first, second):
        tell = listener.ticket.tell
        listener.ticket.tell = lambda index, piece, me=listener, tell=tell: (order.append(me), tell(index, piece))
    held.set()
    first.rest()
    second.rest()
    assert order.index(second) < len(order) - 3


def test_a_cancelled_ticket_frees_its_slots_and_hears_no_more(opened, held, generator):
    engine = opened(slots=2)
    gone = Listener(engine, "a", max_new_tokens=60, min_new_tokens=60, n=2, do_sample=True)
    stays = Listener(engine, "b", max_new_tokens=5)
    wait_until(lambda: (engine.running, engine.waiting) == (2, 1))
    gone.ticket.cancel()
    held.set()
    stays.rest()
    assert stays.ticket.texts[0].result() == generator.generate("b", max_new_tokens=5)
    wait_until(lambda: engine.running == 0)
    assert all(len(text.token_ids) < 5 for text in gone.ticket.texts)


def test_a_cancelled_ticket_does_not_wait(opened, held):
    engine = opened(slots=1, most_waiting=1)
    Listener(engine, "a", max_new_tokens=9)
    wait_until(lambda: engine.running == 1)
    waits = Listener(engine, "b", max_new_tokens=9)
    with pytest.raises(QueueFull, match="1, and at most 1 may"):
        Listener(engine, "c")
    waits.ticket.cancel()
    assert engine.waiting == 0
    last = Listener(engine, "c", max_new_tokens=2)
    assert engine.waiting == 1
    held.set()
    last.rest()
    assert waits.ticket.begun == 0


def test_nothing_is_guessed_as_that_would_depend_on_who_is_there(opened):
    listener = Listener(opened(), "abcabcabc", max_new_tokens=3, prompt_lookup_num_tokens=4)
    assert listener.ticket.texts[0].guess() == []
    assert listener.rest()


def test_more_texts_than_can_ever_wait_are_refused_for_good(opened):
    with pytest.raises(ValueError, match="n must be at most 3"):
        Listener(opened(slots=2, most_waiting=1), "a", n=4, do_sample=True)


@pytest.mark.parametrize(
    ("ids", "options", "match"),
    [
        ([], {}, "at least one token"),
        ([1] * 64, {}, "leave room"),
        ([999], {}, "vocabulary"),
        ([1], {"logit_bias": {999: 1.0}}, "logit_bias"),
        ([1], {"num_beams": 2}, "num_beams=2"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(opened, ids, options, match):
    with pytest.raises(ValueError, match=match):
        opened().submit(ids, GenerationOptions(**options), lambda *_: None)


@pytest.mark.parametrize("sizes", [{"slots": 0}, {"chunk": 0}, {"most_waiting": -1}])
def test_sizes_must_make_sense(generator, sizes):
    with pytest.raises(ValueError, match=f"{next(iter(sizes))} must be at least"):
        DecodeEngine(generator, **sizes)


def test_an_error_reaches_its_caller_alone(opened, held, generator, monkeypatch):
    engine = opened(slots=3)
    bad, good = Listener(engine, "a", n=2, do_sample=True), Listener(engine, "b", max_new_tokens=6)
    wait_until(lambda: engine.running == 3)
    monkeypatch.setattr(bad.ticket.texts[1], "take", lambda logits: [][0])
    held.set()
    with pytest.raises(IndexError):
        bad.rest()
    good.rest()
    assert good.ticket.texts[0].result() == generator.generate("b", max_new_tokens=6)
    wait_until(lambda: engine.running == 0)
    assert bad.ticket.texts[0].finish_reason is None  # it was given up, too


def test_a_caller_that_cannot_be_told_is_given_up(opened, caplog):
    engine = opened()
    with caplog.at_level("CRITICAL"):
        engine.submit([1, 2], GenerationOptions(max_new_tokens=50), lambda *_: [][0])
        Listener(engine, "b", max_new_tokens=3).rest()
        wait_until(lambda: engine.running == 0)


def test_a_cache_that_finds_no_memory_fails_that_request(opened, monkeypatch):
    engine = opened(slots=1)

    def refuse(self, tokens):
        raise MemoryError

    monkeypatch.setattr(DecodeSession, "reserve", refuse)
    with pytest.raises(MemoryError):
        Listener(engine, "a").rest()
    monkeypatch.undo()
    assert Listener(engine, "a", max_new_tokens=2).rest()


def test_a_mistake_of_the_engine_ends_all_texts_and_it_goes_on(opened, monkeypatch, caplog):
    engine = opened(slots=1)
    with caplog.at_level("CRITICAL"):
        monkeypatch.setattr(Decoding, "advance", lambda self: [][0])
        with pytest.raises(IndexError):
            Listener(engine, "a", n=3, do_sample=True).rest()
        monkeypatch.undo()
        assert Listener(engine, "a", max_new_tokens=2).rest()


def test_closing_finishes_what_was_accepted_and_refuses_the_rest(opened, held, generator):
    engine = opened(slots=1)
    listeners = [Listener(engine, prompt, max_new_tokens=4) for prompt in ("a", "b", "c")]
    closing = threading.Thread(target=engine.close)
    closing.start()
    wait_until(lambda: engine._closing)
    with pytest.raises(Closed, match="shutting down"):
        Listener(engine, "d")
    held.set()
    closing.join(PATIENCE)
    for listener in listeners:
        listener.rest()
        assert listener.ticket.texts[0].result() == generator.generate(listener.prompt, max_new_tokens=4)


def test_closing_at_once_tells_everybody(opened, held):
    engine = opened(slots=1)
    listeners = [Listener(engine, prompt, max_new_tokens=40, min_new_tokens=40) for prompt in ("a", "b")]
    closing = threading.Thread(target=engine.close)  # one that waits can be hurried by another
    closing.start()
    wait_until(lambda: engine._finish)
    hurrying = threading.Thread(target=engine.close, args=(False,))
    hurrying.start()
    wait_until(lambda: not engine._finish)
    held.set()
    for listener in listeners:
        with pytest.raises(Closed, match="before the text was finished"):
            listener.rest()
    closing.join(PATIENCE)
    hurrying.join(PATIENCE)

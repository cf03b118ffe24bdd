"""The loop: prompts are read into free slots, and all slots step together until every text is written."""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from .continuation import Continuation
from .session import DecodeSession


def decode(session: DecodeSession, texts: Sequence[Continuation]) -> Iterator[Continuation]:
    """Writes texts.

    The active ones are always in the first slots: the last of them moves to where one has ended.

    Args:
        session: Its slots are filled with as many texts at once as it has.
        texts: The texts; those of the same prompt should follow each other: it is then read once.

    Yields:
        A text, whenever it has a new token or has ended.
    """
    waiting, active = deque(texts), list[Continuation]()
    known: tuple[Sequence[int], np.ndarray] | None = None  # the last prompt, and the logits after it
    while waiting or active:
        while waiting and len(active) < session.slots:
            text = waiting.popleft()
            slot = len(active)
            logits = _again(session, slot, text.prompt, known)
            if logits is None:
                logits = read(session, slot, text.prompt, text.options.prompt_cache)
            known = (text.prompt, logits) if waiting and waiting[0].prompt is text.prompt else None
            text.take(logits)
            yield text
            if text.finish_reason is None:
                active.append(text)
        if len(active) == 1:
            yield from _guess(session, active)
        elif active:
            yield from _step(session, active)


def read(session: DecodeSession, slot: int, prompt: Sequence[int], reuse: bool) -> np.ndarray:
    """Reads a prompt into a slot; what the slot holds of it already can be used again.

    Returns:
        float32 [vocabulary]: the logits after the prompt.
    """
    kept = common(session.ids[slot], prompt) if reuse else 0
    kept = min(kept, len(prompt) - 1)  # the last token is read again: its logits are needed
    session.truncate(slot, kept)
    return session.extend(slot, prompt[kept:])[-1]


def common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two texts start with alike."""
    length = min(len(first), len(second))
    differ = np.flatnonzero(np.asarray(first[:length]) != np.asarray(second[:length]))
    return int(differ[0]) if len(differ) else length


def _again(
    session: DecodeSession, slot: int, prompt: Sequence[int], known: tuple[Sequence[int], np.ndarray] | None
) -> np.ndarray | None:
    """Fills a slot with a prompt that another slot holds; gives the logits after it, None where none holds it."""
    if known is None or known[0] is not prompt:
        return None
    for source, held in enumerate(session.ids):
        if len(held) >= len(prompt) and common(held, prompt) == len(prompt):
            session.copy(source, slot)
            session.truncate(slot, len(prompt))
            return known[1]
    return None


def _guess(session: DecodeSession, active: list[Continuation]) -> Iterator[Continuation]:
    """One more token for the only text, and those after it that were guessed right.

    The logits after each guess are what they would be without guessing, and the text chooses by them in turn; at the
    first guess that it does not choose, what was read beyond is forgotten.
    """
    text = active[0]
    guesses = text.guess()
    if not guesses:
        yield from _step(session, active)
        return
    held = len(session.ids[0])
    logits = session.extend(0, [text.token_ids[-1], *guesses], keep=1 + len(guesses))
    for place, row in enumerate(logits):
        token = text.take(row)
        yield text
        if text.finish_reason is not None:
            active.pop()
        if text.finish_reason is not None or token != [*guesses, None][place]:
            session.truncate(0, held + 1 + place)
            return


def _step(session: DecodeSession, active: list[Continuation]) -> Iterator[Continuation]:
    """One more token for every text; those that end leave `active`."""
    logits = session.step([text.token_ids[-1] for text in active])
    for slot in reversed(range(len(active))):
        text = active[slot]
        text.take(logits[slot])
        yield text
        if text.finish_reason is not None:
            last = len(active) - 1
            session.copy(last, slot)
            active[slot] = active[last]
            active.pop()

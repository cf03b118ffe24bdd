"""Beam search: the likeliest text that a few parallel ones find, as Hugging Face has it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .options import GenerationOptions
from .sampling import Sampler, best
from .session import DecodeSession


class Beam(NamedTuple):
    """A text on the way."""

    token_ids: list[int]
    """Its tokens."""
    logprob: float
    """Natural logarithm of its probability."""
    sampler: Sampler
    """Its penalties."""


class Found(NamedTuple):
    """A finished text."""

    score: float
    """Log probability over length to the power of the penalty."""
    token_ids: list[int]
    """Its tokens, without the one that ended it."""
    reason: str
    """"stop" or "length"."""


def search(
    session: DecodeSession, prompt: Sequence[int], options: GenerationOptions, *, ends: frozenset[int], room: int
) -> list[Found]:
    """Searches for the likeliest texts.

    Each step looks at the best `2 * num_beams` ways to go on; those that end are kept apart, and the search is over
    once as many are found and no beam at hand can become better by its present score.

    Args:
        session: A session of `num_beams` slots and a spare one.
        prompt: Token ids.
        options: What is asked for.
        ends: Tokens that end a text.
        room: Most tokens that the context has room for.

    Returns:
        `num_beams` texts, the best first.
    """
    limit = min(room, options.max_new_tokens)
    session.truncate(0, 0)
    logits = session.extend(0, prompt)
    beams = [Beam([], 0.0, Sampler(options, prompt, session.graph.vocab_size))]
    found: list[Found] = []
    while True:
        banned = sorted(ends) if len(beams[0].token_ids) < options.min_new_tokens else []
        going: list[tuple[int, int, float]] = []
        ways = _ways(logits, beams, banned, 2 * options.num_beams)
        for rank, (place, token, logprob) in enumerate(ways):
            if token in ends:
                if rank < options.num_beams:
                    ids = beams[place].token_ids
                    found.append(Found(_score(logprob, len(ids) + 1, options), ids, "stop"))
            else:
                going.append((place, token, logprob))
        going = going[: options.num_beams]
        found = sorted(found, key=lambda each: -each.score)[: options.num_beams]
        length = len(beams[0].token_ids) + 1
        beams = [
            Beam([*beams[place].token_ids, token], logprob, beams[place].sampler.after(token))
            for place, token, logprob in going
        ]
        done = len(found) == options.num_beams and (
            not beams or found[-1].score >= _score(beams[0].logprob, length, options)
        )
        if done or length >= limit or not beams:
            break
        _arrange(session, [place for place, _, _ in going])
        logits = session.step([token for _, token, _ in going])
    if not done:
        found += [Found(_score(b.logprob, len(b.token_ids), options), b.token_ids, "length") for b in beams]
    return sorted(found, key=lambda each: -each.score)[: options.num_beams]


def _ways(logits: np.ndarray, beams: Sequence[Beam], banned: Sequence[int], count: int) -> list[tuple[int, int, float]]:
    """The best ways to go on: a beam's place, a token, and the log probability with it; best first."""
    ways = []
    for place, (row, beam) in enumerate(zip(logits, beams, strict=True)):
        most = row.max()
        logs = row - (most + math.log(float(np.exp(row - most).sum(dtype=np.float64))))
        scores = beam.sampler.scores(logs, banned)
        ways += [(place, int(token), beam.logprob + float(scores[token])) for token in best(scores, count)]
    return sorted(ways, key=lambda way: -way[2])[:count]


def _score(logprob: float, length: int, options: GenerationOptions) -> float:
    return logprob / length**options.length_penalty


def _arrange(session: DecodeSession, sources: Sequence[int]) -> None:
    """Makes slot i hold what slot sources[i] held, with as few copies as there are changes.

    A slot that others still need is never overwritten before them; where slots need each other in a ring, one of
    them waits in the spare slot.
    """
    spare = session.slots - 1
    wanted = {target: source for target, source in enumerate(sources) if source != target}
    while wanted:
        free = next((target for target in wanted if target not in wanted.values()), None)
        if free is None:
            ring = next(iter(wanted))
            session.copy(ring, spare)
            wanted = {target: spare if source == ring else source for target, source in wanted.items()}
            free = ring
        session.copy(wanted.pop(free), free)

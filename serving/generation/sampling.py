"""From logits to a token: penalties, and drawing by chance, with the meanings and the order of Hugging Face.

Vocabularies are large and a token must take microseconds, so a whole vocabulary is sorted only where the most likely
thousands of it are not enough.
"""

import math
from collections.abc import Sequence
from copy import copy, deepcopy
from typing import NamedTuple

import numpy as np

from ..ranking import largest
from .options import GenerationOptions

# Vocabularies are searched in blocks of so many.
_BLOCK = 128
# So many of the most likely tokens nearly always have the probability that top_p asks for.
_ENOUGH = 4096


class TokenScore(NamedTuple):
    """How likely the model held a token."""

    token: int
    """Its id."""
    logprob: float
    """Natural logarithm of its probability."""


class Sampler:
    """Chooses the tokens of one text."""

    def __init__(self, options: GenerationOptions, prompt: Sequence[int], vocab_size: int, sample: int = 0) -> None:
        """Starts a text.

        Args:
            options: What is asked for.
            prompt: Its token ids; the repetition penalty counts them.
            vocab_size: Number of logits.
            sample: Which of the texts of this prompt it is: each draws numbers of its own.

        Raises:
            ValueError: A token of `logit_bias` is outside the vocabulary.
        """
        self._options = options
        self._penalties = _Penalties(options, prompt) if _is_penalized(options) else None
        self._bias = _read_bias(options, vocab_size)
        if options.do_sample:
            self._random = np.random.Generator(
                np.random.PCG64(np.random.SeedSequence(options.seed, spawn_key=(sample,)))
            )

    def choose(self, logits: np.ndarray, banned: Sequence[int] | np.ndarray = ()) -> int:
        """The next token.

        Args:
            logits: float32 [vocabulary]; not changed.
            banned: Ids, or a mask of booleans [vocabulary], of tokens that may not come.

        Returns:
            Its id; it counts for the penalties of those after it.
        """
        scores = self.scores(logits, banned)
        token = self._draw(scores) if self._options.do_sample else int(scores.argmax())
        if self._penalties:
            self._penalties.count(token)
        return token

    def scores(self, logits: np.ndarray, banned: Sequence[int] | np.ndarray = ()) -> np.ndarray:
        """The logits with biases and penalties, minus infinity for banned tokens; the same array without any."""
        if not (self._penalties or self._bias or len(banned)):
            return logits
        scores = logits.copy()
        if self._bias:
            scores[self._bias[0]] += self._bias[1]
        if self._penalties:
            self._penalties.apply(scores)
        if len(banned):
            scores[banned] = -np.inf
        return scores

    def after(self, token: int) -> "Sampler":
        """What this one is once a token has come; it stays as it is."""
        if self._penalties is None:
            return self
        other = copy(self)
        other._penalties = deepcopy(self._penalties)
        other._penalties.count(token)
        return other

    def _draw(self, scores: np.ndarray) -> int:
        tokens, weights = candidates(scores, self._options)
        place = draw(weights, self._random.random())
        return place if tokens is None else int(tokens[place])


class _Penalties:
    """Penalties of tokens that were there before; work grows with how many different ones, not with the length."""

    def __init__(self, options: GenerationOptions, prompt: Sequence[int]) -> None:
        self._options = options
        self._place: dict[int, int] = {}
        self._ids = np.zeros(64, np.int64)
        self._counts = np.zeros(64, np.float32)  # in the text alone; the prompt's tokens start at 0
        if options.repetition_penalty != 1:
            for token in dict.fromkeys(prompt):
                self._find(int(token))

    def count(self, token: int) -> None:
        place = self._find(token)  # which may make room
        self._counts[place] += 1

    def apply(self, scores: np.ndarray) -> None:
        """Changes the logits of the tokens in place."""
        options, used = self._options, len(self._place)
        ids, counts = self._ids[:used], self._counts[:used]
        values = scores[ids]
        if options.repetition_penalty != 1:
            factor = np.float32(options.repetition_penalty)
            values = np.where(values < 0, values * factor, values / factor)
        values -= np.float32(options.presence_penalty) * (counts > 0)
        values -= np.float32(options.frequency_penalty) * counts
        scores[ids] = values

    def _find(self, token: int) -> int:
        place = self._place.setdefault(token, len(self._place))
        if place == len(self._ids):
            self._ids = np.concatenate([self._ids, np.zeros_like(self._ids)])
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._ids[place] = token
        return place


def candidates(scores: np.ndarray, options: GenerationOptions) -> tuple[np.ndarray | None, np.ndarray]:
    """The tokens that may be drawn, after temperature, top_k, top_p and min_p, in this order.

    top_p is nucleus sampling (Holtzman et al. 2020), min_p that of Nguyen et al. (2024).

    Args:
        scores: float32 [vocabulary].
        options: What is asked for.

    Returns:
        Token ids [candidates] (None: all of the vocabulary, in order), and weights float32 [candidates] that are
        proportional to their probabilities.
    """
    top = scores.max()
    heat = np.float32(options.temperature or 1)
    if options.top_k is None and options.top_p in (None, 1):
        if not options.min_p:
            return None, np.exp((scores - top) / heat)
        tokens = np.flatnonzero(scores >= top + heat * np.float32(math.log(options.min_p)))
        return tokens, np.exp((scores[tokens] - top) / heat)
    if options.top_k is None:
        weights = np.exp((scores - top) / heat)
        tokens = nucleus(weights, options.top_p or 1)
        weights = weights[tokens]
    else:
        tokens = best(scores, options.top_k)
        weights = np.exp((scores[tokens] - top) / heat)
        if options.top_p not in (None, 1):
            count = _reaching(weights, options.top_p or 1, weights.sum(dtype=np.float64))
            tokens, weights = tokens[:count], weights[:count]
    if options.min_p:
        likely = weights >= np.float32(options.min_p)  # the most likely one weighs 1
        tokens, weights = tokens[likely], weights[likely]
    return tokens, weights


def draw(weights: np.ndarray, chance: float) -> int:
    """Draws a place with a probability proportional to its weight.

    Args:
        weights: float32 [places], none negative, one at least positive.
        chance: A number in 0..1, below 1.

    Returns:
        The place; the sum is searched in blocks first, so that a large vocabulary costs one pass.
    """
    if len(weights) <= _ENOUGH:
        return _first_above(np.cumsum(weights, dtype=np.float64), chance, weights)
    whole = len(weights) // _BLOCK * _BLOCK
    sums = np.append(weights[:whole].reshape(-1, _BLOCK).sum(axis=1), weights[whole:].sum())
    reached = np.cumsum(sums, dtype=np.float64)
    target = chance * reached[-1]
    block = min(int(np.searchsorted(reached, target, side="right")), len(sums) - 1)
    while not sums[block]:  # rounding led past the end
        block -= 1
    inside = weights[block * _BLOCK : (block + 1) * _BLOCK if block * _BLOCK < whole else None]
    before = reached[block - 1] if block else 0.0
    place = int(np.searchsorted(before + np.cumsum(inside, dtype=np.float64), target, side="right"))
    if place >= len(inside) or not inside[place]:
        place = int(np.flatnonzero(inside)[-1])
    return block * _BLOCK + place


def _first_above(reached: np.ndarray, chance: float, weights: np.ndarray) -> int:
    """The place where the running sum passes a share of the whole."""
    place = int(np.searchsorted(reached, chance * reached[-1], side="right"))
    return place if place < len(weights) else int(np.flatnonzero(weights)[-1])  # rounding led past the end


def best(scores: np.ndarray, count: int) -> np.ndarray:
    """Places of the largest scores.

    Args:
        scores: float32 [places].
        count: How many to give.

    Returns:
        int64 [count], largest first, of equal ones the earlier first; those that are minus infinity are left out.
    """
    blocks = len(scores) // _BLOCK
    if count < blocks:  # the `count` largest maxima of blocks are scores, so no smaller score is among the best
        maxima = scores[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1)
        some = np.flatnonzero(scores >= np.partition(maxima, blocks - count)[blocks - count])
        places = some[np.argsort(-scores[some], kind="stable")[:count]]
    else:
        places = largest(scores, count)
    return places[scores[places] > -np.inf]


def nucleus(weights: np.ndarray, share: float) -> np.ndarray:
    """The fewest largest weights that together have a share of them all.

    Args:
        weights: float32 [places], none negative.
        share: A number in 0..1, above 0.

    Returns:
        Their places int64, in order of place; of equal weights the earlier ones.
    """
    whole = weights.sum(dtype=np.float64)
    for count in (min(_ENOUGH, len(weights)), len(weights)):
        top = np.sort(np.partition(weights, len(weights) - count)[len(weights) - count :])[::-1]
        needed = _reaching(top, share, whole)
        if needed < count:
            break
    places = np.flatnonzero(weights >= top[needed - 1])
    if len(places) > needed:
        equal = np.flatnonzero(weights[places] == top[needed - 1])
        places = np.delete(places, equal[needed - len(places) :])
    return places


def score(logits: np.ndarray, token: int, top: int) -> tuple[TokenScore, list[TokenScore]]:
    """Log probabilities of a token and of the most likely ones.

    Args:
        logits: float32 [vocabulary], as the model gives them.
        token: The token.
        top: How many others.

    Returns:
        That of the token, and the `top` best, most likely first.
    """
    most = logits.max()
    whole = most + math.log(float(np.exp(logits - most).sum(dtype=np.float64)))
    chosen = TokenScore(token, float(logits[token] - whole))
    places = best(logits, top).tolist() if top else []
    return chosen, [TokenScore(place, float(logits[place] - whole)) for place in places]


def _reaching(weights: np.ndarray, share: float, whole: float) -> int:
    """How many weights, largest first, it takes to reach a share of the whole; all where rounding falls short."""
    reached = np.cumsum(weights, dtype=np.float64)
    return min(int(np.searchsorted(reached, share * whole, side="left")) + 1, len(weights))


def _is_penalized(options: GenerationOptions) -> bool:
    return options.repetition_penalty != 1 or bool(options.presence_penalty or options.frequency_penalty)


def _read_bias(options: GenerationOptions, vocab_size: int) -> tuple[np.ndarray, np.ndarray] | None:
    if not options.logit_bias:
        return None
    outside = [token for token in options.logit_bias if not 0 <= token < vocab_size]
    if outside:
        raise ValueError(f"logit_bias must name tokens in 0..{vocab_size - 1}, the vocabulary. Received: {outside[0]}.")
    ids = np.array(list(options.logit_bias), np.int64)
    return ids, np.array(list(options.logit_bias.values()), np.float32)

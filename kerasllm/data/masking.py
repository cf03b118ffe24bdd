"""Masks for masked language modelling: which tokens of a row must be predicted, and what stands in their place.

Source: BERT (Devlin et al. 2019, section 3.1 and appendix A.1): of the tokens to be predicted 80 % become [MASK], 10 %
any token, 10 % stay; whole words as in its later release.
"""

from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from ..tokenizing.tokenizer import vocab_size
from .token_stream import CONTINUES, SPECIAL

_MASKED, _ALTERED = 0.8, 0.9  # cumulative shares: [MASK] below the first, any token below the second, else unchanged
_NAMES = ("[MASK]", "<mask>")


@dataclass(frozen=True, kw_only=True)
class MaskingConfig:
    """What is hidden from the model, and what it must say."""

    masked_share: float = 0.15
    """Share of a row's tokens that must be predicted, 0 to 1."""
    whole_words: bool = False
    """Choose words instead of tokens: all pieces of a word, or none."""
    next_sentence: bool = False
    """Say too whether the second half of a row follows the first one (rows are then two segments of a document)."""

    def __post_init__(self) -> None:
        if not 0 < self.masked_share < 1:
            raise ValueError(f"`masked_share` must be above 0 and below 1. Received: {self.masked_share}.")

    def places(self, length: int) -> int:
        """Most tokens of a row that are predicted."""
        return max(1, round(self.masked_share * length))


@dataclass(frozen=True)
class MaskVocabulary:
    """What may stand in the place of a token.

    Attributes:
        mask_id: The id of [MASK].
        ordinary: int32 [tokens], the ids that are no special tokens.
    """

    mask_id: int
    ordinary: np.ndarray


def mask_vocabulary(tokenizer: Tokenizer) -> MaskVocabulary:
    """The vocabulary of a tokenizer as masking sees it.

    Raises:
        ValueError: The tokenizer has no token to mask with.
    """
    found = [number for number in map(tokenizer.token_to_id, _NAMES) if number is not None]
    if not found:
        raise ValueError(
            f"Masking needs a token {' or '.join(_NAMES)}. Received: a tokenizer without one. "
            "Train one for an encoder, or take an encoder's own."
        )
    special = [number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special]
    return MaskVocabulary(found[0], np.setdiff1d(np.arange(vocab_size(tokenizer)), special).astype(np.int32))


def mask_row(
    ids: np.ndarray,
    marks: np.ndarray,
    random: np.random.Generator,
    config: MaskingConfig,
    vocabulary: MaskVocabulary,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws what of a row is predicted and hides it; never a special token or padding.

    Of the tokens that may be drawn, `masked_share` are, rounded, and at least one; with whole words at most so many,
    words that are too long for what is left being passed over.

    Args:
        ids: The row, any integer type [sequence].
        marks: uint8 [sequence], see `TokenStream`.
        random: Draws.
        config: How much, and whether whole words.
        vocabulary: What may stand there instead.

    Returns:
        The row as the model sees it, int32 [sequence], and the places to predict, int64 [places], ascending.
    """
    candidates = np.flatnonzero(marks != SPECIAL)
    count = min(len(candidates), config.places(len(candidates)))
    if config.whole_words:
        chosen = _whole_words(marks, candidates, count, random)
    else:
        chosen = random.choice(candidates, count, replace=False)
    chosen = np.sort(chosen)
    fate = random.random(len(chosen))
    drawn = vocabulary.ordinary[random.integers(len(vocabulary.ordinary), size=len(chosen))]
    hidden = ids.astype(np.int32)
    hidden[chosen[fate < _MASKED]] = vocabulary.mask_id
    altered = (fate >= _MASKED) & (fate < _ALTERED)
    hidden[chosen[altered]] = drawn[altered]
    return hidden, chosen


def _whole_words(marks: np.ndarray, candidates: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """The places of words in any order, as long as their pieces are at most `count`."""
    word = np.cumsum(marks != CONTINUES)[candidates]
    _, word, sizes = np.unique(word, return_inverse=True, return_counts=True)
    taken = np.zeros(len(sizes), bool)
    left = count
    for index in random.permutation(len(sizes)):
        if sizes[index] <= left:
            taken[index] = True
            left -= sizes[index]
        if left == 0:
            break
    return candidates[taken[word]]

"""What a caller may hand in: strings, so many and so long; and the rows of token ids that become of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tokenizers

from ..tokenizing.tokenizer import encode, encode_pairs
from .graph import Row

# Texts of one call: their token ids are held at once. What is more comes in several calls.
MAX_TEXTS = 1_000_000
# Characters of a text: tokenizing takes time and memory in proportion, whatever is cut off afterwards.
MAX_CHARACTERS = 1_000_000
_SURROGATE = re.compile("[\ud800-\udfff]")


def check_text(text: Any, name: str | int = "A text") -> str:
    """A text, if it is one and not too long.

    Args:
        text: What was given.
        name: What an error calls it, or its position among the texts.

    Raises:
        TypeError: It is no string.
        ValueError: It has more than `MAX_CHARACTERS`.
    """
    if not isinstance(text, str):
        raise TypeError(f"{_name(name)} must be a string. Received: {type(text).__name__}.")
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"{_name(name)} must have at most {MAX_CHARACTERS:,} characters. Received: {len(text):,}. "
            "Cut it into parts."
        )
    return text


def check_texts(texts: Any) -> Sequence[Any]:
    """A list of texts, each of which has yet to be checked.

    Raises:
        TypeError: It is no list.
        ValueError: It has more than `MAX_TEXTS`.
    """
    if isinstance(texts, (str, bytes)) or not isinstance(texts, Sequence):
        raise TypeError(f"Texts must be a list of strings. Received: {type(texts).__name__}.")
    if len(texts) > MAX_TEXTS:
        raise ValueError(f"A call takes at most {MAX_TEXTS:,} texts. Received: {len(texts):,}. Call several times.")
    return texts


def single_rows(
    tokenizer: tokenizers.Tokenizer, texts: Sequence[str], max_length: int, *, truncation: bool = True
) -> list[Row]:
    """Rows of single texts.

    Args:
        tokenizer: The tokenizer, its truncation set to `max_length`.
        texts: The texts.
        max_length: Most tokens of a row, special ones among them.
        truncation: Whether longer texts are cut at the end instead of refused.

    Returns:
        A row a text, of at least one token.

    Raises:
        TypeError: One is no string.
        ValueError: A text is too long.
    """
    given = [check_text(text, place) for place, text in enumerate(texts)]
    if not truncation:
        refuse_long(tokenizer, given, max_length)
    return [Row(ids) for chunk in chunks(given) for ids in encode(tokenizer, chunk, max_length)]


def pair_rows(
    tokenizer: tokenizers.Tokenizer, pairs: Sequence[Any], max_length: int, *, truncation: bool = True
) -> list[Row]:
    """Rows of pairs of texts, joined as the tokenizer's post-processor does it.

    Args:
        tokenizer: As for `single_rows`.
        pairs: Each {"text", "text_pair"}, or two strings.
        max_length: Most tokens of a row, special ones among them.
        truncation: Whether of longer pairs the longer text is cut at the end, instead of the pair being refused.

    Returns:
        A row a pair, with segments.

    Raises:
        TypeError: One is no pair of strings.
        ValueError: A pair is too long.
    """
    given = [_read_pair(pair, place) for place, pair in enumerate(pairs)]
    if not truncation:
        refuse_long(tokenizer, given, max_length)
    rows: list[Row] = []
    for chunk in chunks(given):
        firsts, seconds = [first for first, _ in chunk], [second for _, second in chunk]
        rows += [Row(*row) for row in encode_pairs(tokenizer, firsts, seconds, max_length)]
    return rows


def refuse_long(
    tokenizer: tokenizers.Tokenizer, texts: Sequence[str] | Sequence[tuple[str, str]], max_length: int
) -> None:
    """Raises ValueError where a text, or a pair, is longer than the tokenizer's truncation leaves it."""
    index = 0
    for chunk in chunks(texts):
        for encoding in tokenizer.encode_batch_fast(list(chunk)):
            if encoding.overflowing:
                raise ValueError(
                    f"A text must have at most {max_length} tokens. Received: more at position {index}. "
                    "Cut it into parts, or ask for truncation (truncation=True)."
                )
            index += 1


def is_one(texts: Any) -> bool:
    """Whether a caller gave one text, or one pair, instead of a list of them."""
    return isinstance(texts, (str, Mapping, tuple))


def _name(name: str | int) -> str:
    return name if isinstance(name, str) else f"The text at position {name}"


def _read_pair(pair: Any, place: int) -> tuple[str, str]:
    if isinstance(pair, Mapping) and set(pair) == {"text", "text_pair"}:
        pair = (pair["text"], pair["text_pair"])
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise TypeError(
            f"{_name(place)} must be a pair, (text, text) or {{'text': ..., 'text_pair': ...}}, since the model was "
            f"trained on pairs. Received: {type(pair).__name__}."
        )
    return check_text(pair[0], place), check_text(pair[1], place)


def encode_whole(
    tokenizer: tokenizers.Tokenizer, texts: Sequence[Any], *, pairs: bool = False
) -> list[tokenizers.Encoding]:
    """Encodings of texts, or pairs of texts, with all their tokens and their offsets in the text as it was given.

    Args:
        tokenizer: A tokenizer that neither truncates nor pads.
        texts: Texts, or tuples of two.
        pairs: Whether they are tuples of two.

    Raises:
        TypeError: One is no string.
        ValueError: A text is too long.
    """
    if pairs:
        given = [tuple(_plain(check_text(text, place)) for text in pair) for place, pair in enumerate(texts)]
        return tokenizer.encode_batch(given)
    return tokenizer.encode_batch([_plain(check_text(text, place)) for place, text in enumerate(texts)])


def chunks(items: Sequence[Any], size: int = 256) -> Iterator[Sequence[Any]]:
    """Cuts a list into short ones, so that what is made of one is gone before the next.

    Args:
        items: Texts, or tuples of them.
        size: Most items of a chunk.

    Yields:
        Chunks of at most `size` items, and of `MAX_CHARACTERS` in all unless it is one item.
    """
    start, held = 0, 0
    for place, item in enumerate(items):
        characters = sum(map(len, item)) if isinstance(item, tuple) else len(item) if isinstance(item, str) else 0
        if place > start and (place - start == size or held + characters > MAX_CHARACTERS):
            yield items[start:place]
            start, held = place, 0
        held += characters
    if start < len(items):
        yield items[start:]


def _plain(text: str) -> str:
    """A lone surrogate, which tokenizers refuse, becomes U+FFFD: one character for one, so that offsets hold."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)

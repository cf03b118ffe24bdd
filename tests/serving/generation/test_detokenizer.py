"""Pieces of text: whole characters, and joined the text of all tokens."""

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models

from kerasllm.serving.generation.detokenizer import TokenText, _characters

from .tiny_decoder import byte_tokenizer


def pieces_of(text, ids, before=()):
    detokenizer = text.start(before)
    return [detokenizer.push(token) for token in ids] + [detokenizer.flush()]


BYTES = byte_tokenizer("word", "naïve — añadido")
BYTE_TEXT = TokenText(BYTES)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 258)))
def test_any_bytes_give_what_the_tokenizer_gives(ids):
    assert "".join(pieces_of(BYTE_TEXT, ids)) == BYTES.decode(ids)


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_comes_in_whole_characters(text):
    pieces = pieces_of(BYTE_TEXT, BYTES.encode(text).ids)
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece for piece in pieces) or "\ufffd" in text


def fallback_tokenizer():
    """Words that begin with a mark, and bytes for all else, as Llama's."""
    words = ["<unk>", "<s>", "▁", "▁good", "▁day", "s", "!", *(f"<0x{byte:02X}>" for byte in range(256))]
    model = models.BPE({word: i for i, word in enumerate(words)}, [], unk_token="<unk>", byte_fallback=True)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.add_special_tokens(["<unk>", "<s>"])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


FALLBACK = fallback_tokenizer()
FALLBACK_TEXT = TokenText(FALLBACK)


def spelled(text):
    """Ids of a text: words where there are, bytes elsewhere."""
    ids = []
    for part in text:
        known = FALLBACK.token_to_id(part)
        ids += [known] if known is not None else [FALLBACK.token_to_id(f"<0x{byte:02X}>") for byte in part.encode()]
    return ids


PARTS = st.lists(st.sampled_from(["▁", "▁good", "▁day", "s", "!", "<s>", "é", "日", "🙂", "\n"]), max_size=30)


@settings(max_examples=150, deadline=None)
@given(PARTS)
def test_words_and_bytes_give_what_the_tokenizer_gives(parts):
    ids = spelled(parts)
    pieces = pieces_of(FALLBACK_TEXT, ids)
    assert "".join(pieces) == FALLBACK.decode(ids)
    assert not any("\ufffd" in piece for piece in pieces)


@settings(max_examples=150, deadline=None)
@given(PARTS, PARTS)
def test_a_text_goes_on_from_its_prompt(before, parts):
    before = ["!", *before]  # a text before it that is not empty
    prompt, ids = spelled(before), spelled(parts)
    if len(prompt) <= 8:
        whole = FALLBACK.decode(prompt + ids)
        assert "".join(pieces_of(FALLBACK_TEXT, ids, prompt)) == whole[len(FALLBACK.decode(prompt)) :]


def test_a_word_after_a_prompt_keeps_its_space():
    good, day = (FALLBACK.token_to_id(word) for word in ("▁good", "▁day"))
    assert "".join(pieces_of(FALLBACK_TEXT, [day, day], [good])) == " day day"
    assert "".join(pieces_of(FALLBACK_TEXT, [good, day], [FALLBACK.token_to_id("<s>")])) == "good day"


@pytest.mark.parametrize("token", ["<s>", "<0xFF>"])
def test_nothing_grows_where_there_is_no_text(token):
    detokenizer = FALLBACK_TEXT.start()
    for _ in range(1000):
        detokenizer.push(FALLBACK.token_to_id(token))
        assert len(detokenizer._window) < 40
    assert detokenizer.push(FALLBACK.token_to_id("▁good")).endswith("good")


def test_ids_that_the_tokenizer_does_not_know_have_no_text():
    assert pieces_of(BYTE_TEXT, [1000, 65]) == ["", BYTES.decode([65]), ""]


def test_the_alphabet_of_bytes_is_that_of_the_library():
    assert sorted(_characters()) == sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())

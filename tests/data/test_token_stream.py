"""Running text in the cache: the tokens that tokenizing it in memory, all at once, gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from kerasllm.data import token_stream as module
from kerasllm.data.token_stream import BEGINS, CONTINUES, SPECIAL, token_stream
from kerasllm.tokenizing import tokenizer as tokenizers
from kerasllm.tokenizing.bert_tokenizer import train_bert_tokenizer
from kerasllm.tokenizing.decoder_tokenizer import END, DecoderTokenizerConfig, make_decoder_tokenizer
from kerasllm.tokenizing.tokenizer import TokenizerConfig, encode_all

BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
WORDS = ["and cats", "dogs", " birds", "  ", "\ud800", "鸟", END, "[SEP]", "\x1f"]
TEXT = st.lists(st.sampled_from([*WORDS, *BREAKS, "\n"]), max_size=25).map("".join)
DECODER = make_decoder_tokenizer(["and cats\ndogs  birds\n"] * 3, DecoderTokenizerConfig(vocab_size=270, max_length=8))
ENCODER = train_bert_tokenizer(["and cats", "dogs birds"], TokenizerConfig(vocab_size=32))


def in_memory(documents, tokenizer, separator, lines):
    """The slow obvious way: ids with a separator before and after every document, marks, the separators' places."""
    ids, marks, starts = [separator], [SPECIAL], [0]
    for texts in documents:
        for text in texts:
            cut = text.splitlines(keepends=True)
            for at in range(0, max(len(cut), 1), lines):
                encoding = encode_all(tokenizer, ["".join(cut[at : at + lines])], None)[0]
                before = -2
                for number, special, word in zip(
                    encoding.ids, encoding.special_tokens_mask, encoding.word_ids, strict=True
                ):
                    if not special:
                        ids.append(number)
                        marks.append(CONTINUES if word == before else BEGINS)
                        before = word
        starts.append(len(ids))
        ids.append(separator)
        marks.append(SPECIAL)
    return ids, marks, starts


@pytest.fixture
def calls(monkeypatch):
    """The texts that were tokenized, a list a time."""
    found = []
    monkeypatch.setattr(module, "encode_all", lambda *args: found.append(args[1]) or tokenizers.encode_all(*args))
    return found


@pytest.mark.parametrize(("tokenizer", "separator"), [(DECODER, 0), (ENCODER, 3)], ids=["decoder", "encoder"])
@settings(deadline=None, max_examples=60)
@given(documents=st.lists(st.lists(TEXT, max_size=3), max_size=5), lines=st.integers(1, 9), chunk=st.integers(1, 60))
def test_a_stream_is_what_tokenizing_in_memory_gives(tmp_path_factory, tokenizer, separator, documents, lines, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LINES", lines)
        patch.setattr(module, "_CHUNK", chunk)
        stream = token_stream(documents, tokenizer, separator, tmp_path_factory.mktemp("cache"), words=True)
    ids, marks, starts = in_memory(documents, tokenizer, separator, lines)
    assert (stream.ids.tolist(), stream.marks.tolist(), stream.starts.tolist()) == (ids, marks, starts)
    assert (stream.ids.dtype, stream.marks.dtype, stream.starts.dtype) == (np.uint16, np.uint8, np.int64)


def test_words_and_documents():
    stream = token_stream([["cats and dogs", "and birds"], ["and cats"]], ENCODER, 3, words=True)
    pieces = [ENCODER.id_to_token(number) for number in stream.ids]
    _, middle, last = stream.starts
    assert ENCODER.decode(stream.ids[1:middle].tolist()) == "cats and dogs and birds"
    assert ENCODER.decode(stream.ids[middle + 1 : last].tolist()) == "and cats"
    assert [mark == CONTINUES for mark in stream.marks] == [piece.startswith("##") for piece in pieces]
    assert [mark == SPECIAL for mark in stream.marks] == [piece == "[SEP]" for piece in pieces]
    assert "[CLS]" not in pieces
    assert len(token_stream([["cats"]], ENCODER, 3).marks) == 0


def test_the_second_time_nothing_is_tokenized(tmp_path, calls):
    for _ in range(2):
        stream = token_stream([["and cats"], ["dogs"]], DECODER, 0, tmp_path)
        assert isinstance(stream.ids, np.memmap)
        assert calls == [["and cats", "dogs"]]


def test_another_text_border_tokenizer_separator_or_marks_is_another_entry(tmp_path, calls):
    for number, (arguments, options) in enumerate(
        [
            (([["and", "cats"], ["dogs"]], ENCODER, 3), {}),
            (([["and"], ["cats", "dogs"]], ENCODER, 3), {}),
            (([["and\ncats"], ["dogs"]], ENCODER, 3), {}),
            (([["and", "cats"], ["dogs"]], DECODER, 3), {}),
            (([["and", "cats"], ["dogs"]], ENCODER, 2), {}),
            (([["and", "cats"], ["dogs"]], ENCODER, 3), {"words": True}),
        ],
        start=1,
    ):
        token_stream(*arguments, tmp_path, **options)
        assert len(calls) == len(list(tmp_path.iterdir())) == number


def test_no_more_than_a_chunk_is_tokenized_at_once(tmp_path, calls, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 100)
    monkeypatch.setattr(module, "_LINES", 2)
    token_stream([["and cats\n" * 200], *[["dogs"]] * 50], DECODER, 0, tmp_path)
    assert max(sum(map(len, texts)) for texts in calls) < 120


def test_ids_of_a_large_vocabulary_are_kept(tmp_path):
    large = Tokenizer.from_str(DECODER.to_str())
    large.add_tokens([f"word{number}" for number in range(70_000)])
    stream = token_stream([["word69999"]], large, 0, tmp_path)
    assert stream.ids.dtype == np.int32
    assert large.decode(stream.ids[1:-1].tolist()) == "word69999"

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasllm.tokenizing.decoder_tokenizer import (
    CHAT,
    END,
    UNKNOWN,
    DecoderTokenizerConfig,
    make_decoder_tokenizer,
    train_decoder_tokenizer,
)
from kerasllm.tokenizing.tokenizer import encode, pad_id, save_tokenizer, tokenizer_json, unk_id, vocab_size

TEXTS = ["The cat sat on the mat.\n\nThe cat  sat.", "Ünïcödé, 你好 and\ttabs\r\n", "don't 12345"]
BPE = train_decoder_tokenizer(TEXTS, DecoderTokenizerConfig(vocab_size=300))
CHAR = train_decoder_tokenizer(TEXTS, DecoderTokenizerConfig(kind="char"))


@given(st.text())
def test_any_text_comes_back_from_bytes(text):
    assert BPE.decode(BPE.encode(text).ids) == text


@given(st.text(alphabet=sorted(set("".join(TEXTS)))))
def test_known_characters_come_back_one_token_each(text):
    ids = CHAR.encode(text).ids
    assert len(ids) == len(text)
    assert CHAR.decode(ids) == text


def test_an_unknown_character_is_seen():
    assert CHAR.decode(CHAR.encode("ca☃").ids) == f"ca{UNKNOWN}"


@pytest.mark.parametrize("kind", ["bpe", "char"])
@pytest.mark.parametrize("chat", [False, True])
def test_special_tokens_come_first_and_are_left_out_of_texts(kind, chat):
    tokenizer = train_decoder_tokenizer(TEXTS, DecoderTokenizerConfig(kind=kind, vocab_size=280, chat=chat))
    assert (tokenizer.token_to_id(END), pad_id(tokenizer)) == (0, 0)
    assert [tokenizer.token_to_id(token) for token in CHAT] == ([1, 2] if chat else [None, None])
    ids = tokenizer.encode(f"The cat{END}").ids
    assert ids[-1] == 0
    assert tokenizer.decode(ids) == "The cat"
    assert unk_id(tokenizer) == (None if kind == "bpe" else 1 + 2 * chat)


def test_the_vocabulary_is_as_large_as_it_is_asked_to_be():
    assert vocab_size(BPE) == 300
    small = train_decoder_tokenizer(TEXTS, DecoderTokenizerConfig(kind="char", vocab_size=5))
    assert sorted(small.get_vocab()) == sorted([END, UNKNOWN, " ", "t", "a"])


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_the_same_texts_give_the_same_tokenizer_and_a_file_keeps_it(kind, tmp_path):
    config = DecoderTokenizerConfig(kind=kind, vocab_size=300)
    first = train_decoder_tokenizer(TEXTS, config)
    assert tokenizer_json(train_decoder_tokenizer(iter(TEXTS), config)) == tokenizer_json(first)
    save_tokenizer(first, tmp_path / "tokenizer.json")
    loaded = make_decoder_tokenizer([], DecoderTokenizerConfig(file=tmp_path / "tokenizer.json"))
    assert encode(loaded, TEXTS, 100)[1].tolist() == encode(first, TEXTS, 100)[1].tolist()


def test_half_a_character_is_replaced_in_training():
    tokenizer = train_decoder_tokenizer(["a\ud800b"], DecoderTokenizerConfig(kind="char"))
    assert tokenizer.token_to_id("\ufffd") is not None


@pytest.mark.parametrize(
    ("options", "least"),
    [({"vocab_size": 256}, 257), ({"vocab_size": 258, "chat": True}, 259), ({"kind": "char", "vocab_size": 2}, 3)],
)
def test_a_vocabulary_too_small_is_refused(options, least):
    with pytest.raises(ValueError, match=f"at least {least}"):
        DecoderTokenizerConfig(**options)


def test_a_length_of_nothing_is_refused():
    with pytest.raises(ValueError, match="`max_length` must be at least 1"):
        DecoderTokenizerConfig(max_length=0)

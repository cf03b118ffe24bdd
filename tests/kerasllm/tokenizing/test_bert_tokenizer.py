import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.tokenizing.bert_tokenizer import SPECIAL, make_bert_tokenizer, read_vocabulary, train_bert_tokenizer
from kerasllm.tokenizing.tokenizer import TokenizerConfig, encode, encode_pairs, tokenizer_json

WORDS = [*SPECIAL, "a", "film", "##s", "wor", "##ld", "wörld", "中", "文", "good", "A"]
TEXTS = ["A good film, isn't it?", "Ein schöner Film über Bücher", "房间很好，很干净", "a bad film"] * 5


def trained(size=400):
    return train_bert_tokenizer(TEXTS, TokenizerConfig(vocab_size=size))


def tokens(tokenizer, text):
    return tokenizer.encode(text).tokens[1:-1]


def test_special_tokens_come_first_and_surround_texts():
    tokenizer = trained()
    assert [tokenizer.token_to_id(word) for word in SPECIAL] == [0, 1, 2, 3, 4]
    assert tokenizer.get_vocab_size() <= 400
    assert tokenizer.encode("a film").tokens == ["[CLS]", "a", "film", "[SEP]"]
    pair = tokenizer.encode("a film", "bad")
    assert pair.tokens == ["[CLS]", "a", "film", "[SEP]", "bad", "[SEP]"]
    assert pair.type_ids == [0, 0, 0, 0, 1, 1]


def test_a_mask_in_a_text_is_the_mask_token():
    assert tokens(trained(), "a [MASK] film") == ["a", "[MASK]", "film"]


def test_the_vocabulary_holds_no_more_than_it_may_and_the_same_texts_give_the_same():
    assert tokenizer_json(trained(75)) == tokenizer_json(trained(75))
    assert trained(75).get_vocab_size() == 75


def test_a_vocabulary_too_small_for_the_characters_is_refused():
    with pytest.raises(ValueError, match="holds every character"):
        trained(20)


@settings(deadline=None)
@given(st.text())
def test_every_text_can_be_read_and_no_id_is_beyond_the_vocabulary(text):
    (ids,) = encode(TOKENIZER, [text], 12)
    assert 2 <= len(ids) <= 12
    assert ids.max() < TOKENIZER.get_vocab_size()
    assert (ids[0], ids[-1]) == (2, 3)


TOKENIZER = trained()


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"lowercase": True}, "A Films", ["a", "film", "##s"]),
        ({"lowercase": False}, "A film", ["A", "film"]),
        ({"lowercase": True}, "wörld", ["wor", "##ld"]),  # accents go where the case goes
        ({"lowercase": True, "strip_accents": False}, "wörld", ["wörld"]),
        ({"lowercase": False}, "wörld", ["wörld"]),
        ({"lowercase": True}, "中文", ["中", "文"]),
        ({"lowercase": True, "chinese": False}, "中文", ["[UNK]"]),
    ],
)
def test_a_vocabulary_is_read_as_bert_reads_it(options, text, expected):
    assert tokens(make_bert_tokenizer(WORDS, **options), text) == expected


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_ids_are_numbers_of_lines(tmp_path, ending):
    (tmp_path / "vocab.txt").write_bytes((ending.join(WORDS) + ending).encode())
    tokenizer = read_vocabulary(tmp_path / "vocab.txt", lowercase=True)
    assert tokenizer.get_vocab() == {word: index for index, word in enumerate(WORDS)}


@pytest.mark.parametrize(
    ("words", "message"), [(WORDS[1:], r"without \[PAD\]"), ([*WORDS, "film"], "1 twice"), ([], "without")]
)
def test_a_vocabulary_that_is_not_berts_is_refused(tmp_path, words, message):
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    with pytest.raises(ValueError, match=message):
        read_vocabulary(tmp_path / "vocab.txt", lowercase=True)


def test_a_trained_tokenizer_cuts_the_longer_text_of_a_pair():
    ((ids, types),) = encode_pairs(TOKENIZER, ["a film"], ["a bad film " * 9], 10)
    assert types.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert ids[3] == ids[-1] == 3

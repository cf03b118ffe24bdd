import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from kerasllm.tokenizing.tokenizer import (
    TokenizerConfig,
    encode,
    encode_all,
    encode_pairs,
    load_tokenizer,
    make_tokenizer,
    pad_id,
    save_tokenizer,
    tokenizer_json,
    train_tokenizer,
    unk_id,
    vocab_size,
)

KINDS = ("word", "wordpiece", "bpe", "char")
TRAINED: dict[str, Tokenizer] = {}  # by kind, for the property test
TEXTS = ["A good film, isn't it?", "Ein schöner Film über Bücher", "房间很好，很干净", "a bad film"] * 5


def trained(kind, texts=TEXTS, **options):
    return train_tokenizer(texts, TokenizerConfig(kind=kind, vocab_size=options.pop("vocab_size", 400), **options))


def with_special_tokens():
    """A tokenizer as BERT has it, made by hand: [CLS] text [SEP]."""
    vocab = {"<pad>": 3, "<unk>": 0, "[CLS]": 1, "[SEP]": 2, "a": 9}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_0_and_unknown_is_1(kind):
    tokenizer = trained(kind)
    assert (pad_id(tokenizer), unk_id(tokenizer)) == (0, 1)
    assert vocab_size(tokenizer) == tokenizer.get_vocab_size() <= 400


@pytest.mark.parametrize("kind", KINDS)
def test_known_texts_have_no_unknown_token(kind):
    tokenizer = trained(kind)
    assert all(1 not in ids for ids in encode(tokenizer, TEXTS, 100))


@pytest.mark.parametrize("kind", KINDS)
def test_chinese_does_not_fall_to_unknown_in_a_new_sentence(kind):
    (ids,) = encode(trained(kind), ["很干净很好房间"], 100)
    assert 1 not in ids
    assert len(ids) > 3


def test_what_a_token_is():
    text = "Isn't Bücher 很好?"
    assert trained("word").encode(text).tokens == ["isn", "'", "t", "bücher", "很", "好", "?"]
    assert trained("word").encode("film unheard").tokens == ["film", "[UNK]"]
    assert trained("wordpiece", vocab_size=100).encode("badit").tokens == ["bad", "##i", "##t"]
    assert trained("char").encode("a 好!").tokens == ["a", " ", "好", "[UNK]"]
    assert trained("bpe").decode(trained("bpe").encode("☂ new").ids) == "☂ new"
    assert trained("word", lowercase=False).encode("Film film").tokens == ["Film", "film"]
    assert trained("bpe", lowercase=False).decode(trained("bpe", lowercase=False).encode("Ä").ids) == "Ä"


@pytest.mark.parametrize("kind", KINDS)
def test_composed_and_decomposed_letters_are_the_same(kind):
    one, other = encode(trained(kind), ["Bu\u0308cher", "B\u00fccher"], 100)
    assert np.array_equal(one, other)


def test_the_word_level_keeps_the_most_frequent():
    tokenizer = trained("word", ["b b b a a c", "d"], vocab_size=4)
    assert tokenizer.get_vocab() == {"[PAD]": 0, "[UNK]": 1, "b": 2, "a": 3}


def test_training_is_the_same_in_every_process():
    program = textwrap.dedent("""
        import hashlib, random
        from kerasllm.tokenizing.tokenizer import TokenizerConfig, tokenizer_json, train_tokenizer
        random.seed(0)
        words = ["".join(random.choices("abcdefghij", k=random.randint(1, 6))) for _ in range(900)]
        for kind in ("word", "wordpiece", "bpe", "char"):
            tokenizer = train_tokenizer([" ".join(words)], TokenizerConfig(kind=kind, vocab_size=300))
            print(kind, hashlib.sha256(tokenizer_json(tokenizer).encode()).hexdigest())
    """)
    runs = {subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout for _ in range(3)}
    assert len(runs) == 1
    assert runs.pop().count(b"\n") == 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_tokenizer_encodes_the_same(kind, tmp_path):
    tokenizer = trained(kind)
    before = encode(tokenizer, TEXTS, 4)
    save_tokenizer(tokenizer, tmp_path / "tokenizer.json")
    saved = json.loads((tmp_path / "tokenizer.json").read_bytes())
    assert saved["truncation"] is None
    assert saved["padding"] is None
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert all(np.array_equal(a, b) for a, b in zip(before, encode(loaded, TEXTS, 4), strict=True))
    assert tokenizer_json(loaded) == tokenizer_json(tokenizer)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


def test_any_tokenizer_file_serves(tmp_path):
    tokenizer = with_special_tokens()
    tokenizer.enable_padding(pad_id=3, pad_token="<pad>", length=20)
    tokenizer.enable_truncation(2)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    loaded = make_tokenizer([], TokenizerConfig(file=tmp_path / "tokenizer.json"))
    assert (pad_id(loaded), unk_id(loaded), vocab_size(loaded)) == (3, 0, 10)
    assert [ids.tolist() for ids in encode(loaded, ["a a a a", "a"], 5)] == [[1, 9, 9, 9, 2], [1, 9, 2]]
    with pytest.raises(ValueError, match=r"room for text beside 2 special tokens. Received: 2"):
        encode(loaded, ["a"], 2)


def test_a_tokenizer_file_must_be_there_whole_and_padded(tmp_path):
    path = tmp_path / "tokenizer.json"
    with pytest.raises(FileNotFoundError, match="Received: "):
        load_tokenizer(path)
    for content in (b"", b"{", tokenizer_json(trained("word")).encode()[:-200], b'{"model": 1}', b"\xff"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"Received: .*broken"):
            load_tokenizer(path)
    Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]")).save(str(path))
    with pytest.raises(ValueError, match="to pad with"):
        load_tokenizer(path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_length_is_cut_at_the_end(kind):
    tokenizer = trained(kind)
    (whole,), (cut,) = encode(tokenizer, [TEXTS[0]], 100), encode(tokenizer, [TEXTS[0]], 3)
    assert cut.tolist() == whole[:3].tolist()
    assert cut.dtype == np.int32


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.lists(st.text(st.characters(), max_size=20), min_size=1, max_size=5), st.sampled_from(KINDS), st.integers(1, 9)
)
def test_any_text_has_ids_within_the_vocabulary(texts, kind, max_length):
    tokenizer = TRAINED.setdefault(kind, trained(kind))
    found = encode(tokenizer, texts, max_length)
    assert len(found) == len(texts)
    for text, ids in zip(texts, found, strict=True):
        assert 1 <= len(ids) <= max_length
        assert 0 <= ids.min() <= ids.max() < vocab_size(tokenizer)
        assert ids.tolist() == encode(tokenizer, [text], max_length)[0].tolist()  # neighbours change nothing


@pytest.mark.parametrize("kind", KINDS)
def test_empty_texts_and_half_characters_have_an_answer(kind):
    tokenizer = trained(kind)
    assert encode(tokenizer, [""], 5)[0].tolist() == [1]
    assert len(encode(tokenizer, ["\ud83d", "fine \udc00"], 5)) == 2
    assert train_tokenizer(["\ud83d half"], TokenizerConfig(kind=kind, vocab_size=300))


@pytest.mark.parametrize(
    ("wrong", "received"),
    [({"max_length": 0}, "0"), ({"vocab_size": 2}, "2"), ({"kind": "bpe", "vocab_size": 100}, "100")],
)
def test_sizes_are_checked(wrong, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        TokenizerConfig(**wrong)


def test_wordpiece_says_how_large_it_must_be():
    with pytest.raises(ValueError, match=r"must be at least \d+. Received: 5"):
        trained("wordpiece", vocab_size=5)


def test_chinese_reviews_are_known(shared_data):
    from kerasllm.data import DataConfig, load_dataset

    splits = load_dataset(DataConfig(source=str(shared_data / "chnsenticorp"), limit=3000)).splits
    tokenizer = train_tokenizer(splits["train"].texts, TokenizerConfig())
    ids = np.concatenate(encode(tokenizer, splits["validation"].texts, 256))
    assert (ids == 1).mean() < 0.01


def test_the_module_needs_nothing_heavy():
    heavy = "{'keras', 'tensorflow', 'onnx', 'pyarrow'}"
    program = f"import sys, kerasllm.tokenizing.tokenizer; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"


def for_pairs():
    """A tokenizer as BERT has it: [CLS] first [SEP] second [SEP]."""
    tokenizer = with_special_tokens()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer


def test_pairs_have_a_segment_each():
    ((ids, types),) = encode_pairs(for_pairs(), ["a a"], ["a"], 10)
    assert ids.tolist() == [1, 9, 9, 2, 9, 2]
    assert types.tolist() == [0, 0, 0, 0, 1, 1]
    assert (ids.dtype, types.dtype) == (np.int32, np.uint8)


@settings(deadline=None)
@given(first=st.integers(0, 12), second=st.integers(0, 12), limit=st.integers(4, 20))
def test_the_longer_text_of_a_pair_is_cut(first, second, limit):
    ((ids, types),) = encode_pairs(for_pairs(), ["a " * first], ["a " * second], limit)
    kept = [int((types == 0).sum()) - 2, int((types == 1).sum()) - 1]
    assert len(ids) == min(first + second + 3, limit)
    assert kept[0] <= first
    assert kept[1] <= second
    for one, other, length in ((*kept, first), (*kept[::-1], second)):
        assert one == length or one >= other - 1  # only the longer one is cut


def test_pairs_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="must set them apart"):
        encode_pairs(trained("word"), ["a"], ["film"], 10)
    with pytest.raises(ValueError, match="needs a second one"):
        encode_pairs(for_pairs(), ["a", "a"], ["a"], 10)
    with pytest.raises(ValueError, match="room for text beside 3 special tokens"):
        encode_pairs(for_pairs(), ["a"], ["a"], 3)


def test_encodings_know_the_characters_they_came_from():
    text = "Schöne \ud800 Bücher 😀!"
    (encoding,) = encode_all(trained("word"), [text], None)
    spans = [text[start:end] for start, end in encoding.offsets]
    assert spans[:1] == ["Schöne"]
    assert spans[-1] == "!"
    (cut,) = encode_all(trained("word"), [text], 2)
    assert cut.ids == encoding.ids[:2]

import numpy as np
import pytest

from kerasllm.data import Split, TextDataset, token_cache
from kerasllm.data import tokens as tokens_module
from kerasllm.tokenizing import tokenizer as tokenizers
from kerasllm.tokenizing.bert_tokenizer import train_bert_tokenizer
from kerasllm.tokenizing.tokenizer import TokenizerConfig, encode, encode_pairs, train_tokenizer

from .damage import DAMAGES, damage

TEXTS = [f"{'word ' * (n % 7)}number {n}" for n in range(100)]


def dataset(texts=TEXTS):
    labels = np.arange(len(texts)) % 2
    splits = {"train": Split(texts, labels), "test": Split(texts[:9], labels[:9])}
    return TextDataset(name="numbers", labels=("even", "odd"), multi_label=False, splits=splits)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, TokenizerConfig())


@pytest.fixture
def count(monkeypatch):
    """How often `encode` was called."""
    calls = []
    monkeypatch.setattr(tokens_module, "encode", lambda *args: calls.append(1) or tokenizers.encode(*args))
    return calls


def test_the_arrays_are_what_encode_gives(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(tokens_module, "_CHUNK", 7)
    splits = token_cache(dataset(), tokenizer, 5, tmp_path)
    for name, split in dataset().splits.items():
        found = splits[name]
        assert found.ids.dtype == np.uint16
        assert isinstance(found.ids, np.memmap)
        assert len(found) == len(split)
        assert found.labels is not None
        for row, ids in enumerate(encode(tokenizer, split.texts, 5)):
            assert found.ids[found.offsets[row] : found.offsets[row + 1]].tolist() == ids.tolist()
            assert found.lengths[row] == len(ids) <= 5


def test_pairs_have_segments_and_single_texts_have_zeros(tmp_path, monkeypatch):
    monkeypatch.setattr(tokens_module, "_CHUNK", 7)
    tokenizer = train_bert_tokenizer(TEXTS, TokenizerConfig())
    labels = np.zeros(len(TEXTS))
    pairs = Split(TEXTS, labels, TEXTS[::-1])
    data = TextDataset(name="pairs", labels=("a",), multi_label=False, splits={"train": pairs})
    found = token_cache(data, tokenizer, 9, tmp_path, segments=True)["train"]
    assert (found.types.dtype, isinstance(found.types, np.memmap)) == (np.uint8, True)
    for row, (ids, types) in enumerate(encode_pairs(tokenizer, TEXTS, TEXTS[::-1], 9)):
        here = slice(found.offsets[row], found.offsets[row + 1])
        assert (found.ids[here].tolist(), found.types[here].tolist()) == (ids.tolist(), types.tolist())
    single = token_cache(dataset(), tokenizer, 9, tmp_path, segments=True)["train"]
    assert (single.types.shape, single.types.any()) == (single.ids.shape, False)
    assert token_cache(dataset(), tokenizer, 9, tmp_path)["train"].types is None


def test_the_second_time_nothing_is_tokenized(tokenizer, tmp_path, count):
    first = token_cache(dataset(), tokenizer, 5, tmp_path)
    made = len(count)
    second = token_cache(dataset(), tokenizer, 5, tmp_path)
    assert made == len(count) == 2
    assert np.array_equal(first["train"].ids, second["train"].ids)


def test_another_text_tokenizer_or_length_is_another_entry(tokenizer, tmp_path, count):
    other = train_tokenizer(TEXTS, TokenizerConfig(kind="char"))
    for arguments in [
        (dataset(), tokenizer, 5),
        (dataset([*TEXTS[:-1], "new"]), tokenizer, 5),
        (dataset(), other, 5),
        (dataset(), tokenizer, 6),
    ]:
        before = len(count)
        token_cache(*arguments, tmp_path)
        assert len(count) == before + 2
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_entry_is_made_anew(tokenizer, tmp_path, count, how):
    expected = np.array(token_cache(dataset(), tokenizer, 5, tmp_path)["train"].ids)
    (entry,) = tmp_path.iterdir()
    damage(entry, how)
    assert np.array_equal(token_cache(dataset(), tokenizer, 5, tmp_path)["train"].ids, expected)
    assert len(count) == 4


def test_a_failure_leaves_nothing_behind(tokenizer, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(tokens_module, "encode", fail)
    with pytest.raises(OSError, match="disk full"):
        token_cache(dataset(), tokenizer, 5, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_lies_where_the_desktop_says(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    token_cache(dataset(), tokenizer, 5)
    assert len(list((tmp_path / "kerasllm" / "tokens").iterdir())) == 1

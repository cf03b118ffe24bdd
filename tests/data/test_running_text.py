"""Files to documents, documents to rows."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.running_text import (
    BEGINS,
    CONTINUES,
    SPECIAL,
    RunningTextConfig,
    TokenStream,
    fingerprint,
    pack,
    read_documents,
    tokenize,
)
from kerasllm.tokenizing.bert_tokenizer import train_bert_tokenizer
from kerasllm.tokenizing.tokenizer import TokenizerConfig

TEXT = """ = Cats =

 A cat sleeps .
 It <unk> purrs .

 = = Food = =

 Fish .
 = Dogs =

 A dog &amp; a bone .
"""


@pytest.fixture
def articles(tmp_path):
    path = tmp_path / "articles.txt"
    path.write_text(TEXT)
    return path


def read(path, **options):
    splits = read_documents(RunningTextConfig(texts=(path,), validation=path, **options))
    assert splits["train"] == splits["validation"]
    return splits["train"]


def test_documents(articles):
    cats, dogs = (
        ["= Cats =", "A cat sleeps .", "It purrs .", "= = Food = =", "Fish ."],
        ["= Dogs =", "A dog & a bone ."],
    )
    assert read(articles, documents="article") == [cats, dogs]
    assert read(articles, documents="file") == [cats + dogs]
    paragraphs = [["= Cats ="], ["A cat sleeps .", "It purrs ."], ["= = Food = ="], ["Fish .", "= Dogs ="], [dogs[1]]]
    assert read(articles) == paragraphs
    assert read(articles, limit=2) == paragraphs[:2]
    assert read(articles, documents="file", clean=False)[0][2] == " It <unk> purrs ."


def test_compressed_and_tables(tmp_path, articles):
    packed = tmp_path / "articles.txt.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    assert read(packed) == read(articles)
    table = tmp_path / "rows.jsonl"
    table.write_text("\n".join(json.dumps({"text": text, "id": 1}) for text in ("one", "", "two")))
    assert read(table) == [["one"], ["two"]]
    with pytest.raises(ValueError, match="--text-column"):
        read(table, text_column="body")


def test_held_out_documents(tmp_path):
    path = tmp_path / "many.txt"
    path.write_text("\n\n".join(f"document {index}" for index in range(45)))
    splits = read_documents(RunningTextConfig(texts=(path,)))
    assert len(splits["validation"]) == 2
    assert sorted(splits["train"] + splits["validation"]) == sorted(read(path))
    assert splits == read_documents(RunningTextConfig(texts=(path,)))
    assert splits != read_documents(RunningTextConfig(texts=(path,), seed=1))
    assert fingerprint(splits) != fingerprint({**splits, "validation": splits["validation"][::-1]})


def test_what_cannot_be_read(tmp_path, articles):
    with pytest.raises(FileNotFoundError, match=r"no\.txt"):
        read(tmp_path / "no.txt")
    with pytest.raises(ValueError, match="--validation"):
        read_documents(RunningTextConfig(texts=(articles,), documents="file"))
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(ValueError, match="at least one document"):
        read(tmp_path / "empty.txt")
    with pytest.raises(ValueError, match="no file"):
        RunningTextConfig(texts=())
    with pytest.raises(ValueError, match="`limit`"):
        RunningTextConfig(texts=(articles,), limit=1)


def test_words_of_tokens():
    tokenizer = train_bert_tokenizer(["and cats", "dogs birds"], TokenizerConfig(vocab_size=32))
    stream = tokenize([["cats and dogs", "and birds"], ["and cats"]], tokenizer)
    pieces = [tokenizer.id_to_token(number) for number in stream.ids]
    assert tokenizer.decode(stream.ids[: stream.offsets[1]].tolist()) == "cats and dogs and birds"
    assert tokenizer.decode(stream.ids[stream.offsets[1] :].tolist()) == "and cats"
    assert [mark == CONTINUES for mark in stream.marks] == [piece.startswith("##") for piece in pieces]
    assert 0 < (stream.marks == CONTINUES).sum() < len(pieces)
    assert "[CLS]" not in pieces
    assert (stream.ids.dtype, stream.offsets[0], stream.offsets[-1]) == (np.uint16, 0, len(pieces))


@settings(deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(3, 9))
def test_rows_hold_the_stream_in_order(lengths, length):
    offsets = np.cumsum([0, *lengths])
    ids = np.arange(10, 10 + offsets[-1], dtype=np.uint16)
    stream = TokenStream(ids, np.full(len(ids), BEGINS, np.uint8), offsets)
    expected = []
    for index, size in enumerate(lengths):
        expected += [3] * (index > 0) + ids[offsets[index] : offsets[index] + size].tolist()
    if len(expected) < length - 2:
        with pytest.raises(ValueError, match="at least one row"):
            pack(stream, 2, 3, length)
        return
    rows, marks = pack(stream, 2, 3, length)
    assert rows.shape[1] == length
    assert (rows[:, 0] == 2).all()
    assert (rows[:, -1] == 3).all()
    inner = rows[:, 1:-1].reshape(-1).tolist()
    assert inner == expected[: len(inner)]
    assert len(expected) - len(inner) < length - 2
    assert ((rows == 2) | (rows == 3)).tolist() == (marks == SPECIAL).tolist()
    assert rows.dtype == np.uint16


def test_wikipedia(shared_data):
    path = shared_data / "wikitext" / "wiki_articles_test.txt.gz"
    documents = read(path, documents="article")
    assert documents[0][0] == "= Allah ="
    assert len(documents) == 11

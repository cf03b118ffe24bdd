"""Files to documents."""

import gzip
import json

import pytest

from kerasllm.data.running_text import RunningTextConfig, fingerprint, read_documents

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


def test_wikipedia(shared_data):
    path = shared_data / "wikitext" / "wiki_articles_test.txt.gz"
    documents = read(path, documents="article")
    assert documents[0][0] == "= Allah ="
    assert len(documents) == 11

"""Decoders read texts to the letter."""

import gzip

import pytest

from kerasllm.data.plain_texts import PlainTextConfig, read_plain_texts

TEXT = "= One =\n\n  indented,\twith tab\n\nnext &amp; last\n = Two = \nanother\n"


def read(tmp_path, text=TEXT, **options):
    path = tmp_path / "text.txt.gz"
    path.write_bytes(gzip.compress(text.encode()))
    return read_plain_texts(PlainTextConfig(texts=(path,), **options))


def test_a_lone_file_is_one_document_and_its_end_is_held_out(tmp_path):
    splits = read(tmp_path)
    assert splits["train"][0] + splits["validation"][0] == TEXT
    assert len(splits["validation"][0]) == len(TEXT) - int(len(TEXT) * 0.9)


def test_articles_and_paragraphs(tmp_path):
    found = read(tmp_path, documents="article")
    assert sorted(found["train"] + found["validation"])[-1] == TEXT.partition("\n = Two")[0]
    parts = read(tmp_path, documents="paragraph")
    assert "  indented,\twith tab" in parts["train"] + parts["validation"]
    cleaned = read(tmp_path, documents="paragraph", clean=True)
    assert any("next & last" in text for split in cleaned.values() for text in split)


def test_tables_hold_a_document_a_row(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text('{"text": "one\\n two"}\n{"text": "three"}\n')
    found = read_plain_texts(PlainTextConfig(texts=(path,)))
    assert sorted(found["train"] + found["validation"]) == ["one\n two", "three"]


def test_no_text(tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        read_plain_texts(PlainTextConfig(texts=(tmp_path / "none.txt",)))
    with pytest.raises(ValueError, match="other documents"):
        read(tmp_path, " \n\n ")

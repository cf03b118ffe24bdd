import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.files import find_splits, read_folder, read_table

ROWS = [("good, really", "pos"), ('he said "no"', "neg"), ("schön\u2028und gut \u0085", "pos")]


def as_csv(rows, **dialect):
    lines = io.StringIO(newline="")
    csv.writer(lines, **dialect).writerows([("text", "label"), *rows])
    return lines.getvalue().encode()


def as_jsonl(rows):
    return "\n".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in rows).encode()


def as_parquet(rows):
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]}), sink)
    return sink.getvalue()


WRITERS = {
    ".csv": as_csv,
    ".tsv": lambda rows: "\r\n".join("\t".join(row) for row in [("text", "label"), *rows]).encode(),
    ".jsonl": as_jsonl,
    ".parquet": as_parquet,
    ".txt": lambda rows: "\n".join(f"{label}\t{text}" for text, label in rows).encode(),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_gives_the_same_columns(tmp_path, suffix, zipped):
    data = WRITERS[suffix](ROWS)
    path = tmp_path / f"data{suffix}{'.gz' * zipped}"
    path.write_bytes(gzip.compress(data) if zipped else data)
    assert read_table(path) == {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8"), min_size=1), st.sampled_from(["a", "b"])), min_size=1))
def test_any_text_survives_csv_and_jsonl(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("any")
    for suffix in (".csv", ".jsonl"):
        (folder / f"data{suffix}").write_bytes(WRITERS[suffix](rows))
        assert read_table(folder / f"data{suffix}")["text"] == [text for text, _ in rows]


def test_fasttext_lines(tmp_path):
    path = tmp_path / "data.txt"
    path.write_text("__label__a good day\n__label__a __label__b two of them\r\n\n__label__c about __label__ itself\n")
    assert read_table(path) == {
        "text": ["good day", "two of them", "about __label__ itself"],
        "label": ["a", ["a", "b"], "c"],
    }


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"\xef\xbb\xbftext,label\nfine,1\n")
    assert list(read_table(path)) == ["text", "label"]


def test_a_field_that_a_json_row_lacks_is_none(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a", "label": 1}\n\n{"text": "b"}\n')
    assert read_table(path) == {"text": ["a", "b"], "label": [1, None]}


BROKEN = {
    "empty.csv": (b"", "at least one example"),
    "header.csv": (b"text,label\n", "at least one example"),
    "blank.jsonl": (b"\n \n", "at least one example"),
    "ragged.csv": (b"text,label\nfine,1\n\ntoo,many,2\n", r"3 in line 4 of .*ragged.csv"),
    "short.tsv": (b"text\tlabel\nfine\n", r"1 in line 2"),
    "quote.csv": (b'text,label\n"fine" no,1\n', r"line 2 of"),
    "latin.csv": (b"text,label\nfine,1\ncaf\xe9,0\n", r"byte 0xe9 at offset 21 \(line 3\)"),
    "latin.txt": (b"1\tna\xefve\n", r"\(line 1\)"),
    "cut.jsonl": (b'{"text": "a", "label": 1}\n{"text": "b', r"line 2 of .*cut.jsonl"),
    "list.jsonl": (b'["a", 1]\n', "JSON object"),
    "plain.txt": (b"1\tfine\nno label here\n", r"'no label here', line 2"),
    "data.parquet": (b"PAR1 not", "whole"),
    "cut.csv.gz": (gzip.compress(b"text,label\n" * 99)[:-12], "whole"),
    "plain.csv.gz": (b"text,label\nfine,1\n", "whole"),
    "flipped.csv.gz": (gzip.compress(b"text,label\nfine,1\n")[:10] + b"\xff" * 20, "whole"),
    "data.xlsx": (b"PK", r"\.csv, \.tsv, \.jsonl, \.parquet, \.txt"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_said_in_a_sentence(tmp_path, name):
    data, rule = BROKEN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=rule) as caught:
        read_table(tmp_path / name)
    assert "Received: " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_cut_parquet_file(tmp_path):
    path = tmp_path / "data.parquet"
    path.write_bytes(as_parquet(ROWS)[:-50])
    with pytest.raises(ValueError, match="whole"):
        read_table(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Received: .*nowhere.csv"):
        read_table(tmp_path / "nowhere.csv")
    with pytest.raises(FileNotFoundError, match=r"builtin:NAME, tfds:NAME.*Received: tdfs:typo"):
        read_table(Path("tdfs:typo"))


def test_splits_are_known_by_many_names():
    names = ["Dev.jsonl", "train.csv.gz", "test.csv", "test_2.csv", "README.md"]
    assert find_splits(names) == {"train": ["train.csv.gz"], "validation": ["Dev.jsonl"], "test": ["test.csv"]}


def test_a_folder_of_splits(tmp_path):
    (tmp_path / "train.csv").write_bytes(as_csv(ROWS))
    (tmp_path / "valid.jsonl.gz").write_bytes(gzip.compress(as_jsonl(ROWS[:1])))
    (tmp_path / "test.md").write_text("not data")
    tables = read_folder(tmp_path)
    assert {name: len(table["text"]) for name, table in tables.items()} == {"train": 3, "validation": 1}


def test_a_folder_must_be_unambiguous_and_hold_something(tmp_path):
    with pytest.raises(FileNotFoundError, match="no data file"):
        read_folder(tmp_path)
    (tmp_path / "train.csv").write_bytes(as_csv(ROWS))
    (tmp_path / "train.jsonl").write_bytes(as_jsonl(ROWS))
    with pytest.raises(ValueError, match=r"train.csv and train.jsonl"):
        read_folder(tmp_path)

import gzip

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from kerasllm.models.vectors import initial_vectors, read_vectors

WORDS = {"good": [1.0, 2.0, 3.0], "bad": [-1.0, -2.5, 0.0], "été": [0.25, 0.5, 4.0]}


def text(header):
    lines = [f"{word} {' '.join(map(str, values))}" for word, values in WORDS.items()]
    return "\n".join(([f"{len(WORDS)} 3"] if header else []) + lines).encode() + b"\n"


def binary(line_breaks=True):
    end = b"\n" if line_breaks else b""
    rows = [word.encode() + b" " + np.array(values, "<f4").tobytes() + end for word, values in WORDS.items()]
    return b"3 3\n" + b"".join(rows)


FILES = {
    "word2vec.txt": text(True),
    "glove.txt": text(False),
    "word2vec.vec.gz": gzip.compress(text(True)),
    "word2vec.bin": binary(),
    "gensim.bin": binary(line_breaks=False),
    "word2vec.bin.gz": gzip.compress(binary()),
}


@pytest.fixture
def tokenizer():
    return Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "good": 2, "été": 3, "unseen": 4}, unk_token="[UNK]"))


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", FILES)
def test_every_format_reads_the_same(name, tmp_path):
    found = dict(read_vectors(write(tmp_path, name, FILES[name])))
    assert {word: vector.tolist() for word, vector in found.items()} == WORDS
    assert all(vector.dtype == np.float32 for vector in found.values())


def test_a_table_for_the_vocabulary_and_the_share_found(tmp_path, tokenizer):
    table, share = initial_vectors(write(tmp_path, "glove.txt", text(False)), tokenizer, 3)
    assert share == 2 / 5
    assert table.dtype == np.float32
    np.testing.assert_array_equal(table[2], WORDS["good"])
    np.testing.assert_array_equal(table[3], WORDS["été"])
    np.testing.assert_array_equal(table[0], 0)
    assert np.abs(table[4]).max() > 0
    again, _ = initial_vectors(tmp_path / "glove.txt", tokenizer, 3)
    np.testing.assert_array_equal(table, again)


def test_words_with_spaces_are_read_from_the_right(tmp_path):
    assert [word for word, _ in read_vectors(write(tmp_path, "g.txt", b"a 1 2\n. . . 3 4\n"))] == ["a", ". . ."]


BROKEN = {
    "empty.txt": (b"", "no vector"),
    "header only.txt": (b"3 3\n", "no vector"),
    "prose.txt": (b"it was a dark night\n", "line 1"),
    "short.txt": (b"a 1 2\nb 1\n", "line 2"),
    "nan.txt": (b"a 1 2\nb nan 2\n", "line 2"),
    "headless.bin": (b"a 1 2 3\n", "two numbers"),
    "cut.bin": (binary()[:-9], "word 3 of 3"),
    "cut.txt.gz": (gzip.compress(text(True))[:-12], "unpacked"),
    "not.gz": (b"plain", "unpacked"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_files_are_refused_in_one_sentence(name, tmp_path):
    content, reason = BROKEN[name]
    with pytest.raises(ValueError, match=f"Received: .*{reason}"):
        list(read_vectors(write(tmp_path, name, content)))


def test_other_width_no_match_and_no_file_are_refused(tmp_path, tokenizer):
    with pytest.raises(ValueError, match="Set embedding_dim to 3"):
        initial_vectors(write(tmp_path, "a.txt", text(False)), tokenizer, 32)
    with pytest.raises(ValueError, match="knows none"):
        initial_vectors(write(tmp_path, "b.txt", b"x 1 2 3\n"), tokenizer, 3)
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        initial_vectors(tmp_path / "none.txt", tokenizer, 3)

import json

import pytest

from kerasllm.pretrained.vocabularies import folder_tokenizer, read_byte_pairs

from .folders import WORDS

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def write_pairs(folder, special=SPECIAL, merges=("a b", "Ġ ab")):
    vocab = [*special, "a", "b", "Ġ", "ab", "Ġab"]
    (folder / "vocab.json").write_text(json.dumps({word: index for index, word in enumerate(vocab)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    return folder


def write_words(folder, settings=None):
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def test_tokenizer_json_comes_first(bert):
    folder_tokenizer(bert, "bert").save(str(bert / "tokenizer.json"))
    (bert / "vocab.txt").unlink()
    assert folder_tokenizer(bert, "bert").encode("A film").tokens == ["[CLS]", "a", "film", "[SEP]"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [(None, "a"), ({}, "a"), ({"do_lower_case": True}, "a"), ({"do_lower_case": False}, "[UNK]")],
)
def test_the_case_is_what_the_folder_says(tmp_path, settings, expected):
    tokenizer = folder_tokenizer(write_words(tmp_path, settings), "electra")
    assert tokenizer.encode("A").tokens == ["[CLS]", expected, "[SEP]"]


def test_roberta_puts_two_separators_between_texts_and_has_no_segments(tmp_path):
    tokenizer = folder_tokenizer(write_pairs(tmp_path), "roberta")
    pair = tokenizer.encode("ab ab", "b<mask>")
    assert pair.tokens == ["<s>", "ab", "Ġab", "</s>", "</s>", "b", "<mask>", "</s>"]
    assert set(pair.type_ids) == {0}
    assert tokenizer.encode("a <mask>").ids == [0, 5, 4, 2]  # the space before it is the mask's


@pytest.mark.parametrize("kind", ["albert", "bert", "roberta"])
def test_a_folder_without_a_tokenizer_is_refused(tmp_path, kind):
    with pytest.raises(FileNotFoundError, match=r"must hold its tokenizer\.json"):
        folder_tokenizer(tmp_path, kind)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"special": SPECIAL[:4]}, "without <mask>"),
        ({"merges": ("a c",)}, "Merges must be pairs"),
        ({"merges": ("ab",)}, "Merges must be pairs"),
    ],
)
def test_broken_byte_pairs_are_refused(tmp_path, options, message):
    folder = write_pairs(tmp_path, **options)
    with pytest.raises(ValueError, match=message):
        read_byte_pairs(folder / "vocab.json", folder / "merges.txt", roberta=True)

"""What may be handed in, and what is refused in one sentence."""

import numpy as np
import pytest

from kerasllm.serving import load, texts

from .handmade import piece_table, piece_tokenizer, token_graph, write_bundle


@pytest.mark.parametrize("wrong", [3, None, b"good", {"good"}])
def test_what_is_no_list_of_texts_is_refused(wrong):
    with pytest.raises(TypeError, match=r"must be a list of strings\. Received: "):
        texts.check_texts(wrong)


def test_limits_are_checked_before_tokenizing(bundle, monkeypatch):
    classifier = load(bundle)
    monkeypatch.setattr(texts, "MAX_CHARACTERS", 8)
    monkeypatch.setattr(texts, "MAX_TEXTS", 2)
    with pytest.raises(ValueError, match=r"text at position 1 must have at most 8 characters\. Received: 9"):
        classifier(["good", "good film"])
    with pytest.raises(ValueError, match=r"at most 2 texts\. Received: 3"):
        classifier(["good"] * 3)
    assert len(classifier(["good", "bad film"])) == 2


def test_a_long_text_is_cut_only_where_that_is_wanted(bundle):
    classifier = load(bundle)
    long = "good good good good good good bad bad"
    assert classifier(long) == classifier(" ".join(long.split()[:6]))
    with pytest.raises(ValueError, match=r"at most 6 tokens\. Received: more at position 1\..*truncation=True"):
        classifier(["good", long], truncation=False)
    assert classifier("good " * 6, truncation=False) == classifier("good")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A classifier of pairs: the first label for ada before alan, by the segment that each is in."""
    table = piece_table(2, ada=[3, 0], alan=[0, 3])
    graph = token_graph({"logits": np.concatenate([table, -table])}, types=True)
    return load(
        write_bundle(
            tmp_path_factory.mktemp("pairs") / "bundle",
            {"fp32": graph},
            tokenizer=piece_tokenizer(),
            task="text-classification",
            settings={"pair": True},
            preprocessing={"max_length": 12, "pad_token_id": 0},
            inputs={name: name for name in ("input_ids", "attention_mask", "token_type_ids")},
        )
    )


@pytest.mark.parametrize("form", [("ada", "alan"), {"text": "ada", "text_pair": "alan"}])
def test_pairs_are_joined_with_segments(pairs, form):
    (row,) = pairs.rows([form])
    assert [pairs.tokenizer.id_to_token(token) for token in row.ids] == ["[CLS]", "ada", "[SEP]", "alan", "[SEP]"]
    assert row.types.tolist() == [0, 0, 0, 1, 1]
    assert pairs.graph.run([row])["logits"][0, [1, 3]].tolist() == [[3, 0], [0, -3]]


def test_a_pair_that_is_too_long_loses_of_its_longer_text(pairs):
    long = ("ada " * 20, "alan in paris")
    (row,) = pairs.rows([long])
    assert len(row.ids) == 12
    assert [pairs.tokenizer.id_to_token(token) for token in row.ids][-4:] == ["alan", "in", "paris", "[SEP]"]
    with pytest.raises(ValueError, match="at most 12 tokens"):
        pairs.rows([long], truncation=False)


@pytest.mark.parametrize("wrong", ["ada", ["ada"], ("ada", 3), {"text": "ada"}, ("a", "b", "c")])
def test_a_model_of_pairs_refuses_what_is_none(pairs, wrong):
    with pytest.raises(TypeError, match="Received: "):
        pairs.rows([wrong])


def test_a_model_of_single_texts_refuses_pairs(bundle):
    with pytest.raises(TypeError, match=r"must be a string\. Received: tuple"):
        load(bundle)(("good", "bad"))


def test_whole_encodings_keep_offsets_into_the_text_as_it_was_given():
    text = "ada \ud83d\ude00 met \ud800 alan"  # two halves of one character, and half of one
    (encoding,) = texts.encode_whole(piece_tokenizer(), [text])
    assert [text[start:end] for start, end in encoding.offsets if end] == [
        "ada",
        "\ud83d\ude00",
        "met",
        "\ud800",
        "alan",
    ]


def test_chunks_hold_everything_in_order_and_are_small(monkeypatch):
    assert list(texts.chunks(["a"] * 5, 2)) == [["a", "a"], ["a", "a"], ["a"]]
    assert list(texts.chunks([])) == []
    monkeypatch.setattr(texts, "MAX_CHARACTERS", 4)
    assert list(texts.chunks(["ab", "cd", "e", "fghijk", ("l", "mno"), "p"])) == [
        ["ab", "cd"], ["e"], ["fghijk"], [("l", "mno")], ["p"]
    ]  # fmt: skip


def test_many_texts_are_tokenized_in_chunks_and_in_order(bundle, pairs):
    words = ["good", "bad film", "not very good"] * 200
    assert [len(ids) for ids in load(bundle).tokenize(words)] == [1, 2, 3] * 200
    rows = pairs.rows([("ada", "alan"), ("ada met", "alan")] * 300)
    assert [len(row.ids) for row in rows] == [5, 6] * 300
    with pytest.raises(ValueError, match="Received: more at position 600"):
        load(bundle)([*words, "good " * 9], truncation=False)

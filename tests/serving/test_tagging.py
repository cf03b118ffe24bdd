"""Entities of a tagger whose labels are known token by token."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving import load
from kerasllm.serving.entities import read_entities

from .handmade import TAGS, piece_tokenizer, write_tagger

# A logit of 4 beside 1 and three of 0; of 3 beside the same for a word that goes on.
SCORE = math.exp(4) / (math.exp(4) + math.e + 3)
NAMES = {"ada": "person", "alan": "person", "paris": "place", "parisville": "place"}


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    return load(write_tagger(tmp_path_factory.mktemp("tagger") / "bundle"))


def test_entities_have_the_shape_of_hugging_face_pipelines(tagger):
    text = "ada who met  parisville,alan"
    score = pytest.approx(SCORE, abs=1e-6)
    assert tagger(text) == [
        {"entity_group": "person", "score": score, "word": "ada who", "start": 0, "end": 7},
        {"entity_group": "place", "score": score, "word": "parisville", "start": 13, "end": 23},
        {"entity_group": "person", "score": score, "word": "alan", "start": 24, "end": 28},
    ]
    assert tagger([text, "met"]) == [tagger(text), []]
    assert tagger("") == tagger("met in") == []
    assert tagger([]) == []


def test_the_first_piece_speaks_for_its_word(tagger):
    """The piece ##ville says person, and nobody listens."""
    (entity,) = tagger("parisville")
    assert (entity["entity_group"], entity["word"]) == ("place", "parisville")


@settings(deadline=None, max_examples=60, derandomize=True)
@given(words=st.lists(st.sampled_from(["ada", "met", "in", "paris", "parisville", "who", "é", "😀"]), max_size=120))
def test_no_entity_of_a_long_text_is_lost_at_the_edge_of_a_window(tagger, words):
    text = "  ".join(words)
    found = {(entity["start"], entity["end"], entity["entity_group"]) for entity in tagger(text)}
    for entity in tagger(text):
        assert entity["word"] == text[entity["start"] : entity["end"]]
    expected, start = set(), 0
    for word in words:
        if word in NAMES:
            expected.add((start, NAMES[word]))
        start += len(word) + 2
    assert {(start, name) for start, _, name in found if text[start : start + 3] != "who"} == expected


def test_many_texts_are_read_in_chunks_and_in_order(tagger):
    texts = ["ada", "paris", "met"] * 200
    answers = [[entity["entity_group"] for entity in entities] for entities in tagger(texts)]
    assert answers == [["person"], ["place"], []] * 200


def test_rows_are_windows(tagger):
    rows = tagger.rows(["ada", "met " * 40])
    assert [len(row.ids) for row in rows] == [3, 32, 27]  # 30 words fit, of which 15 are seen twice
    assert tagger.labels == tuple(TAGS)


def test_scores_hold_whatever_the_size_of_the_logits():
    labels, logits = ["O", "B-x"], np.array([[-2000, -1000]], np.float32)
    (entity,) = read_entities("ada", piece_tokenizer().encode("ada"), logits, labels)
    assert entity == {"entity_group": "x", "score": 1.0, "word": "ada", "start": 0, "end": 3}


@pytest.mark.parametrize("wrong", [3, ["ada", None], {"text": "ada"}, [("ada", "met")]])
def test_what_is_no_text_is_refused(tagger, wrong):
    with pytest.raises(TypeError, match="Received: "):
        tagger(wrong)

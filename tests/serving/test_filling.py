"""Masks filled from logits that are known."""

import math

import pytest

from kerasllm.serving import BundleError, load

from .handmade import PIECES, write_filler

TOTAL = math.exp(3) + math.exp(2) + math.e + len(PIECES) - 3


@pytest.fixture(scope="module")
def filler(tmp_path_factory):
    return load(write_filler(tmp_path_factory.mktemp("filler") / "bundle"))


def test_answers_have_the_shape_of_hugging_face_pipelines(filler):
    answers = filler("ada met [MASK]", top_k=2)
    assert answers == [
        {
            "score": pytest.approx(math.exp(3) / TOTAL),
            "token": PIECES.index("paris"),
            "token_str": "paris",
            "sequence": "ada met paris",
        },
        {
            "score": pytest.approx(math.exp(2) / TOTAL),
            "token": PIECES.index("ada"),
            "token_str": "ada",
            "sequence": "ada met ada",
        },
    ]
    assert filler(["ada met [MASK]", "[MASK]"], top_k=2)[0] == answers
    assert len(filler("[MASK]")) == 5
    assert len(filler("[MASK]", top_k=99)) == len(PIECES)
    assert filler([]) == []


def test_each_of_several_masks_is_filled_alone(filler):
    first, second = filler("[MASK] met [MASK]", top_k=1)
    assert first[0]["sequence"] == "[CLS] paris met [MASK] [SEP]"
    assert second[0]["sequence"] == "[CLS] [MASK] met paris [SEP]"


def test_a_text_without_a_mask_or_too_long_is_refused(filler):
    with pytest.raises(ValueError, match=r"must hold the mask, \[MASK\]\. Received: none at position 1"):
        filler(["[MASK]", "ada"])
    with pytest.raises(ValueError, match="at most 32 tokens"):
        filler("ada " * 40 + "[MASK]")
    with pytest.raises(ValueError, match="top_k must be at least 1"):
        filler("[MASK]", top_k=0)


def test_a_mask_that_the_tokenizer_does_not_know_is_refused(tmp_path):
    with pytest.raises(BundleError, match="must have the token '<mask>'"):
        load(write_filler(tmp_path / "b", settings={"mask_token": "<mask>"}))

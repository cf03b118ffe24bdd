"""Answers of a reader whose logits are known word by word."""

import math

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.serving import load

from .handmade import piece_table, piece_tokenizer, token_graph, write_bundle, write_reader

CONTEXT = "ada met  alan in paris"


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return load(write_reader(tmp_path_factory.mktemp("reader") / "bundle", settings={"stride": 4, "max_answer": 30}))


def test_answers_have_the_shape_of_hugging_face_pipelines(reader):
    # Five tokens, 15 answers; starts are 3 0 0 0 2 and ends 1 0 3 0 2.
    starts, ends = [3, 0, 0, 0, 2], [1, 0, 3, 0, 2]
    total = sum(math.exp(starts[i] + ends[j]) for i in range(5) for j in range(i, 5))
    best = {"answer": "ada met  alan", "score": pytest.approx(math.exp(6) / total), "start": 0, "end": 13}
    assert reader(question="who ?", context=CONTEXT) == best
    assert reader({"question": "who ?", "context": CONTEXT}) == best
    assert reader([{"question": "who ?", "context": CONTEXT}]) == [best]
    assert reader(question=["who ?", "who"], context=CONTEXT) == [best, best]
    several = reader(question="who ?", context=CONTEXT, top_k=3)
    assert [entry["answer"] for entry in several] == ["ada met  alan", CONTEXT, "ada"]
    assert several[0] == best
    assert reader([]) == []


def test_the_longest_answer_is_kept_to(reader):
    assert reader(question="who ?", context=CONTEXT, max_answer_len=2)["answer"] == "ada"
    assert len(reader(question="who ?", context=CONTEXT, max_answer_len=1, top_k=99)) == 5


def test_no_answer_is_given_only_where_it_is_allowed(reader, tmp_path):
    asked = {"question": "who ?", "context": "in met"}
    assert reader(asked)["answer"] == "in"
    nothing = reader(asked, handle_impossible_answer=True)
    assert (nothing["answer"], nothing["start"], nothing["end"]) == ("", 0, 0)
    assert nothing["score"] == pytest.approx(math.exp(3) / (math.exp(3) + 3))
    allowing = load(write_reader(tmp_path / "b", settings={"null": True}))
    assert allowing(asked) == nothing
    assert allowing(asked, handle_impossible_answer=False)["answer"] == "in"
    assert allowing(question="who ?", context=CONTEXT)["answer"] == "ada met  alan"


@settings(deadline=None, max_examples=40, derandomize=True)
@given(before=st.integers(0, 120), after=st.integers(0, 120))
def test_an_answer_is_found_anywhere_in_a_long_context(reader, before, after):
    context = "in " * before + CONTEXT + " met" * after
    answer = reader(question="who ? who ?", context=context, max_answer_len=3)
    assert (answer["start"], answer["answer"]) == (3 * before, "ada met  alan")
    assert answer["answer"] == context[answer["start"] : answer["end"]]


def test_offsets_count_characters_of_the_context_as_it_was_given(reader):
    context = "é 😀\ud83d\ude00 中文 ada\tmet\nalan ."
    answer = reader(question="wer \ud800?", context=context)
    assert answer["answer"] == context[answer["start"] : answer["end"]] == "ada\tmet\nalan"


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"question": "who ?", "context": " \n"}, ValueError, "must hold text"),
        ({"question": "who ?", "context": CONTEXT, "top_k": 0}, ValueError, "top_k and max_answer_len"),
        ({"question": "who " * 40, "context": CONTEXT}, ValueError, "Shorten the question"),
        ({"question": ["who", "?"], "context": [CONTEXT]}, ValueError, "Received: 2 and 1"),
        ({"question": 3, "context": CONTEXT}, TypeError, "list of strings. Received: int"),
        ({"question": "who", "context": None}, TypeError, "Received: NoneType"),
        ({"question": "who", "context": [3]}, TypeError, "A context must be a string"),
        ({"inputs": [{"question": "who"}]}, TypeError, "'question' and 'context'"),
        ({}, TypeError, "Received: NoneType"),
    ],
)
def test_what_makes_no_sense_is_refused(reader, asked, error, says):
    with pytest.raises(error, match=says):
        reader(**asked)


def test_a_context_of_characters_that_no_tokenizer_keeps_is_refused(tmp_path):
    tokenizer = piece_tokenizer()
    tokenizer.normalizer = tokenizers.normalizers.Replace("met", "")
    logits = piece_table(1)[:, 0]
    graph = token_graph({"start_logits": logits, "end_logits": logits})
    limits = {"max_length": 32}
    folder = write_bundle(
        tmp_path / "b", {"fp32": graph}, tokenizer=tokenizer, task="question-answering", preprocessing=limits
    )
    with pytest.raises(ValueError, match="must hold text"):
        load(folder)(question="who", context="met")


def test_rows_are_windows_with_the_question_in_each(reader):
    rows = reader.rows([{"question": "who ?", "context": "in " * 60}])
    assert len(rows) == 3
    for row in rows:
        assert [reader.tokenizer.id_to_token(token) for token in row.ids[:4]] == ["[CLS]", "who", "?", "[SEP]"]

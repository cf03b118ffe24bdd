import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.columns import Examples, as_labels, examples, in_order


@pytest.mark.parametrize(
    "columns",
    [("text", "label"), ("Sentence", "Label"), ("review", "sentiment"), ("utterance", "intent"), ("whatever", "class")],
)
def test_usual_names_are_guessed(columns):
    found = examples(dict(zip(columns, (["a", "b"], [1, 0]), strict=True)), "here")
    assert found.texts == ["a", "b"]
    assert found.classes == [("1",), ("0",)]


def test_a_named_column_wins():
    table = {"text": ["a"], "title": ["t"], "label": [0], "stars": [5]}
    found = examples(table, "here", text="title", label="stars")
    assert (found.texts, found.classes) == (["t"], [("5",)])


@pytest.mark.parametrize(
    ("asked", "rule"), [({"text": "body"}, "'body'"), ({"label": "mood"}, "'mood'"), ({}, "a label column")]
)
def test_a_missing_column_lists_those_there_are(asked, rule):
    table = {"text": ["a"], "id": [0], "label": [0]} if asked else {"text": ["a"], "id": [0]}
    with pytest.raises(ValueError, match=rf"{rule}.*Received: here with the columns text, id.*-column"):
        examples(table, "here", **asked)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (3, "3"),
        (np.int64(3), "3"),
        (3.0, "3"),
        (" pos ", "pos"),
        (True, "true"),
        (np.bool_(False), "false"),
        ("1", "1"),
    ],
)
def test_a_label_is_a_name_or_a_whole_number(value, name):
    assert examples({"text": ["a"], "label": [value]}, "here").classes == [(name,)]


@pytest.mark.parametrize("value", [None, "", " ", 0.5, float("nan"), {"a": 1}, [None], [["a"]]])
def test_anything_else_is_no_label(value):
    with pytest.raises(ValueError, match=r"Received: .* in row 2, column label, of here"):
        examples({"text": ["a", "b"], "label": [1, value]}, "here")


def test_a_text_is_a_string():
    with pytest.raises(ValueError, match=r"Received: 5 in row 1, column text, of here"):
        examples({"text": [5], "label": [1]}, "here")


def test_several_labels_by_list_or_by_separator():
    lists = examples({"text": ["a", "b"], "label": [["x", "y"], []]}, "here")
    joined = examples({"text": ["a", "b"], "label": ["x | y", ""]}, "here", separator="|")
    assert lists.several
    assert joined.several
    assert lists.classes == joined.classes == [("x", "y"), ()]
    labels = as_labels(lists, ("x", "y", "z"), True, "here")
    assert labels.dtype == np.float32
    assert labels.tolist() == [[1, 1, 0], [0, 0, 0]]


def test_numbers_are_sorted_as_numbers():
    assert in_order([("10",), ("9",), ("-1",), ("9",)]) == ("-1", "9", "10")
    assert in_order([("10",), ("9",), ("b",)]) == ("10", "9", "b")


def test_names_beside_numbers():
    table = {"text": ["a", "b", "c"], "Intent": [1, 0, 1], "Intent_name": ["pos", "neg", "pos"]}
    assert examples(table, "here").called == {"1": "pos", "0": "neg"}
    assert examples({**table, "Intent_name": ["pos", "neg", "neg"]}, "here").called == {}
    assert examples({**table, "Intent_name": ["pos", None, "pos"]}, "here").called == {}
    lists = {"text": ["a", "b"], "label": [[1, 0], []], "label_name": [["pos", "neg"], []]}
    assert examples(lists, "here").called == {"1": "pos", "0": "neg"}


def test_an_unknown_class_is_named_with_its_split():
    with pytest.raises(ValueError, match=r"training labels: a, b. Received: 'c' in the test split"):
        as_labels(Examples(["t"], [("c",)]), ("a", "b"), False, "the test split")


def test_one_label_each_where_a_model_has_one():
    with pytest.raises(ValueError, match="exactly one label"):
        as_labels(Examples(["t"], [()]), ("a", "b"), False, "here")


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.sampled_from(["a", "b", "10", "9", "zürich"]), min_size=1))
def test_labels_and_names_are_inverse(values):
    given_ = examples({"text": ["t"] * len(values), "label": values}, "here")
    names = in_order(given_.classes)
    assert [names[label] for label in as_labels(given_, names, False, "here")] == values

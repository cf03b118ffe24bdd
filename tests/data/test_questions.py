import json

import pytest

from kerasllm.data.questions import TrueAnswer, load_questions, load_questions_for_evaluation
from kerasllm.data.sources import DataConfig

CONTEXT = "Ada wrote to Alan. Alan wrote back."


def row(question="Who wrote?", context=CONTEXT, texts=("Ada",), starts=(0,)):
    return {"question": question, "context": context, "answers": {"text": list(texts), "answer_start": list(starts)}}


def write(folder, **splits):
    for split, rows in splits.items():
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return DataConfig(source=str(folder))


def answers(folder, *rows):
    return load_questions_for_evaluation(write(folder, test=rows)).splits["test"].answers


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"text": ["Ada"], "answer_start": [0]}, (TrueAnswer("Ada", 0),)),
        ([{"text": "Ada", "answer_start": 0}, {"text": "Alan", "answer_start": 13}], (("Ada", 0), ("Alan", 13))),
        ({"text": [], "answer_start": []}, ()),
        ([], ()),
        (None, ()),
    ],
)
def test_answers_in_each_usual_form(tmp_path, given, expected):
    assert answers(tmp_path, {**row(), "answers": given}) == [expected]


def test_an_answer_that_lies_elsewhere_is_taken_where_it_is_nearest(tmp_path):
    rows = [row(texts=["Alan"], starts=[17]), row(texts=["Alan"], starts=[0]), row()]
    dataset = load_questions_for_evaluation(write(tmp_path, test=rows))
    assert dataset.splits["test"].answers == [(("Alan", 19),), (("Alan", 13),), (("Ada", 0),)]
    assert dataset.notes[0].startswith("2 of 3 questions of the test split")


def test_training_questions_whose_answer_is_nowhere_are_dropped_and_scored_ones_are_kept(tmp_path):
    lost = row("Who else?", texts=["Grace"], starts=[-1])
    dataset = load_questions(write(tmp_path, train=[row(), lost], validation=[lost]))
    assert dataset.splits["train"].answers == [(TrueAnswer("Ada", 0),)]
    assert dataset.splits["validation"].answers == [(TrueAnswer("Grace", -1),)]
    assert dataset.notes == ("Dropped 1 of 2 training questions: answer not in context.",)
    with pytest.raises(ValueError, match="none does"):
        load_questions(write(tmp_path, train=[lost]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": "Ada"}, "Answers must be .* row 2"),
        ({"answers": {"text": ["Ada"], "answer_start": []}}, "of one length.* row 2"),
        ({"answers": {"text": ["Ada"], "answer_start": ["0"]}}, "a whole number .* row 2"),
        ({"answers": {"text": [None], "answer_start": [0]}}, "a whole number .* row 2"),
        ({"question": 3}, "A question must be a text.* row 2"),
        ({"context": ["Ada"]}, "A context must be a text.* row 2"),
    ],
)
def test_rows_that_cannot_be_read_are_refused_by_their_number(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        answers(tmp_path, row(), {**row(), **change})


def test_empty_questions_are_dropped_and_columns_must_be_there(tmp_path):
    dataset = load_questions_for_evaluation(write(tmp_path, test=[row(), row(question=" "), row(context="")]))
    assert len(dataset.splits["test"]) == 1
    assert "Dropped 2 of 3" in dataset.notes[0]
    with pytest.raises(ValueError, match="Questions need a column 'answers'"):
        load_questions(write(tmp_path, train=[{"question": "a", "context": "b"}]))


def test_validation_is_drawn_by_context(tmp_path):
    rows = [row(f"{place}?", f"context {number}", texts=[], starts=[]) for number in range(20) for place in "abc"]
    dataset = load_questions(write(tmp_path, train=rows))
    train, validation = dataset.splits["train"], dataset.splits["validation"]
    assert (len(train), len(validation)) == (54, 6)
    assert not set(train.contexts) & set(validation.contexts)
    assert "on other contexts" in dataset.notes[0]


def test_real_answers_lie_where_they_should(shared_data):
    dataset = load_questions(DataConfig(source=str(shared_data / "squad"), limit=300))
    assert dataset.notes == ()
    for split in dataset.splits.values():
        for context, given in zip(split.contexts, split.answers, strict=True):
            assert all(context.startswith(answer.text, answer.start) for answer in given)
    unanswerable = load_questions_for_evaluation(DataConfig(source=str(shared_data / "squad2_validation")))
    assert sum(not given for given in unanswerable.splits["validation"].answers) == 3168

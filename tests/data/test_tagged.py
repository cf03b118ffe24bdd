import json

import numpy as np
import pytest

from kerasllm.data.sources import DataConfig
from kerasllm.data.tagged import load_tagged, load_tagged_for_evaluation, span_names
from kerasllm.serving.spans import Span

WORDS = {"tokens": ["Ada", "met", "Alan", "Turing"], "tags": ["B-PER", "O", "B-PER", "I-PER"]}
SPANS = {"text": "Ada met Alan Turing", "spans": [[0, 3, "PER"], [8, 19, "PER"]]}


def write(folder, **splits):
    for split, rows in splits.items():
        (folder / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return DataConfig(source=str(folder))


def read(folder, *rows):
    """The one split of a source."""
    labels = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    return load_tagged_for_evaluation(write(folder, test=rows), labels).splits["test"]


def test_words_with_tags_and_texts_with_spans_are_one_thing(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    by_words, by_spans = read(tmp_path / "a", WORDS), read(tmp_path / "b", SPANS)
    expected = (Span("PER", 0, 3), Span("PER", 8, 19))
    assert by_words.texts == by_spans.texts == ["Ada met Alan Turing"]
    assert by_words.spans == by_spans.spans == [expected]
    assert by_words.words[0].tolist() == [[0, 3], [4, 7], [8, 12], [13, 19]]
    assert by_spans.words is None


def test_labels_are_those_of_the_training_split_with_outside_first(tmp_path):
    place = {"tokens": ["Paris"], "tags": ["B-LOC"]}
    dataset = load_tagged(write(tmp_path, train=[WORDS, place], validation=[place]))
    assert dataset.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert span_names(dataset.labels) == ("LOC", "PER")
    assert dataset.notes == ("1 of 1 validation examples are in the training split too.",)


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["I-PER", "O", "I-PER", "I-PER"], [(0, 3), (8, 19)]),  # IOB1, and what seqeval makes of it
        (["S-PER", "O", "B-PER", "E-PER"], [(0, 3), (8, 19)]),  # BIOES
        (["U-PER", "O", "B-PER", "L-PER"], [(0, 3), (8, 19)]),  # BILOU
        (["PER", "O", "PER", "PER"], [(0, 3), (8, 19)]),  # no scheme at all
        (["O", "O", "B-PER", "B-PER"], [(8, 12), (13, 19)]),
    ],
)
def test_other_schemes_are_read_too(tmp_path, tags, spans):
    split = read(tmp_path, {**WORDS, "tags": tags})
    assert [(span.start, span.end) for span in split.spans[0]] == spans
    assert {span.name for span in split.spans[0]} == {"PER"}


def test_spans_that_begin_with_i_are_counted(tmp_path):
    dataset = load_tagged(write(tmp_path, train=[{**WORDS, "tags": ["I-PER", "O", "B-PER", "I-PER"]}, SPANS_AS_WORDS]))
    assert any(note.startswith("1 spans of the train split") and "begin with I-" in note for note in dataset.notes)


SPANS_AS_WORDS = {"tokens": ["Alan", "!"], "tags": ["B-PER", "O"]}


def test_spans_may_be_objects_in_any_order_with_space_at_their_ends(tmp_path):
    given = [{"start": 7, "end": 19, "label": "PER"}, {"start": 0, "end": 4, "label": "PER"}]
    found = read(tmp_path, {"text": SPANS["text"], "entities": given}).spans[0]
    assert found == (Span("PER", 0, 3), Span("PER", 8, 19))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "Every word must have a tag. Received: 2 words with 1 tags in row 2"),
        ({"tokens": ["a", "b"], "tags": ["O", 3]}, "The tags of a row .* row 2"),
        ({"tokens": ["a", None], "tags": ["O", "O"]}, "The words of a row .* row 2"),
        ({"tokens": ["a", "b"], "tags": ["O", ""]}, "A tag must have a name.* row 2"),
        ({"tokens": "a b", "tags": ["O", "O"]}, "The words of a row .* row 2"),
    ],
)
def test_words_and_tags_that_do_not_align_are_refused_by_row(tmp_path, row, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, WORDS, row)


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([[0, 20, "PER"]], "0 to 20 of 19 characters in row 2"),
        ([[-1, 3, "PER"]], "-1 to 3 of 19"),
        ([[3, 3, "PER"]], "3 to 3 of 19"),
        ([[3, 4, "PER"]], "3 to 4 of 19"),  # a space
        ([[0, 3, "PER"], [2, 5, "LOC"]], "must not overlap.* row 2"),
        ([[0, "3", "PER"]], "A span must be .* row 2"),
        ([[0, 3]], "A span must be .* row 2"),
        ([[0, 3, ""]], "A span must be .* row 2"),
        ("PER", "Spans must be a list.* row 2"),
        ([[0, 3, "ORG"]], "LOC, PER. Received: 'ORG'"),
    ],
)
def test_spans_that_cut_out_of_their_text_are_refused_by_row(tmp_path, spans, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, SPANS, {**SPANS, "spans": spans})


def test_empty_texts_and_empty_words(tmp_path):
    rows = [WORDS, {"tokens": [], "tags": []}, {"tokens": ["", "Ada"], "tags": ["B-PER", "O"]}]
    dataset = load_tagged_for_evaluation(write(tmp_path, test=rows), ["O", "B-PER", "I-PER"])
    split = dataset.splits["test"]
    assert "Dropped 1 of 3" in dataset.notes[0]
    assert split.texts == ["Ada met Alan Turing", " Ada"]
    assert split.spans[1] == ()
    assert split.words[1].tolist() == [[0, 0], [1, 4]]


def test_a_source_without_what_is_needed_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="training split"):
        load_tagged(write(tmp_path, test=[WORDS]))
    with pytest.raises(ValueError, match="a label column such as tags"):
        load_tagged(write(tmp_path, train=[{"tokens": ["a"], "other": ["O"]}]))
    with pytest.raises(ValueError, match="every word is outside"):
        load_tagged(write(tmp_path, train=[{"tokens": ["a", str(row)], "tags": ["O", "O"]} for row in range(3)]))


def test_columns_can_be_named_limits_drawn_and_fingerprints_tell_data_apart(tmp_path):
    rows = [{"w": ["Ada", str(row)], "t": ["B-PER", "O"]} for row in range(40)]
    config = write(tmp_path, train=rows)
    given = {"source": config.source, "text_column": "w", "label_column": "t"}
    whole, part = load_tagged(DataConfig(**given)), load_tagged(DataConfig(**given, limit=3))
    assert {name: len(split) for name, split in whole.splits.items()} == {"train": 36, "validation": 4}
    assert {name: len(split) for name, split in part.splits.items()} == {"train": 3, "validation": 3}
    assert whole.fingerprint == load_tagged(DataConfig(**given)).fingerprint != part.fingerprint


def test_real_data_has_as_many_spans_as_its_paper_says(shared_data):
    dataset = load_tagged(DataConfig(source=str(shared_data / "wnut17")))
    counts = {name: sum(map(len, split.spans)) for name, split in dataset.splits.items()}
    assert counts == {"train": 1975, "validation": 836, "test": 1079}  # Derczynski et al. 2017, table 3
    slots = load_tagged(DataConfig(source=str(shared_data / "snips"), limit=200)).splits["train"]
    assert all(text[span.start : span.end].strip() for row, text in enumerate(slots.texts) for span in slots.spans[row])
    assert np.mean([len(spans) for spans in slots.spans]) > 2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.windows import joined, windowed
from kerasllm.tokenizing.bert_tokenizer import train_bert_tokenizer
from kerasllm.tokenizing.tokenizer import TokenizerConfig

TOKENIZER = train_bert_tokenizer(["cat dog hen cow ?"], TokenizerConfig(vocab_size=60))


@settings(deadline=None, max_examples=50, derandomize=True)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(8, 20), st.integers(0, 6))
def test_windows_hold_every_token_of_every_context_after_its_whole_question(lengths, max_length, stride):
    pairs = [("cat ?", " ".join(["dog", "hen", "cow"][i % 3] for i in range(length))) for length in lengths]
    for (encoding, windows), length in zip(windowed(TOKENIZER, pairs, max_length, stride, "x"), lengths, strict=True):
        context = [i for i, sequence in zip(encoding.ids, encoding.sequence_ids, strict=True) if sequence == 1]
        seen = np.zeros(length, int)
        for window in windows:
            ids = window.row.ids
            inside = ids[window.inside]
            assert len(ids) <= max_length
            assert ids[: window.inside.start].tolist() == encoding.ids[:4]  # [CLS] cat ? [SEP]
            assert inside.tolist() == context[window.first : window.first + len(inside)]
            assert window.row.types.tolist() == [0] * 4 + [1] * (len(inside) + 1)
            seen[window.first : window.first + len(inside)] += 1
        assert seen.min() >= 1
        assert len(windows) == 1 or len(pairs[0][1]) > 0


def test_rows_are_joined_with_a_label_a_token():
    cut = windowed(TOKENIZER, ["cat", "dog hen"], 8, 0, "x")
    rows = [(window.row, np.arange(len(window.row.ids))) for _, (window,) in cut]
    split = joined(rows, 0, segments=True)
    assert split.offsets.tolist() == [0, 3, 7]
    assert split.labels.tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert split.types.tolist() == [0] * 7
    assert split.per_token
    assert joined(rows, 0, segments=False).types is None


def test_a_question_without_room_for_its_context_is_refused_by_its_number():
    with pytest.raises(ValueError, match=r"Shorten the question\. It is example 2 of the data\."):
        list(windowed(TOKENIZER, [("cat ?", "dog"), ("cat " * 9, "dog")], 8, 0, "the data"))

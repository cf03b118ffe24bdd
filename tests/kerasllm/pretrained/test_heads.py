import numpy as np
import pytest

from kerasllm.pretrained.heads import fine_tuned_task, read_fine_tuned

from .folders import CONFIGS, WORDS, random_tensors, write_folder
from .reference import hidden_states

IDS = np.array([2, 5, 6, 9, 8, 3])
ENDINGS = {
    "text-classification": "ForSequenceClassification",
    "token-classification": "ForTokenClassification",
    "question-answering": "ForQuestionAnswering",
}
HEADS = {
    "bert": ("bert.pooler.dense", np.tanh, "classifier"),
    "distilbert": ("pre_classifier", lambda x: np.maximum(x, 0), "classifier"),
}


def write_fine_tuned(folder, kind, task, labels=3, **changes):
    """A folder with a random head: its tensors too."""
    rng = np.random.default_rng(1)
    sizes = {"text-classification": labels, "token-classification": labels, "question-answering": 2}
    heads = {("qa_outputs" if task == "question-answering" else "classifier"): (sizes[task], 8)}
    if task == "text-classification":
        heads[HEADS[kind][0]] = (8, 8)
    tensors = random_tensors(kind, CONFIGS[kind])
    for name, shape in heads.items():
        tensors[f"{name}.weight"] = rng.normal(size=shape).astype("float32")
        tensors[f"{name}.bias"] = rng.normal(size=shape[:1]).astype("float32")
    changes = {"id2label": {"0": "A", "1": "B", "2": "C"}, "architectures": [f"X{ENDINGS[task]}"], **changes}
    return write_folder(folder, kind, tensors, **changes), tensors


def outputs(model):
    arrays = {"input_ids": IDS, "attention_mask": np.ones_like(IDS), "token_type_ids": np.zeros_like(IDS)}
    result = model({name: arrays[name][None].astype("int32") for name in model.input})
    return {name: np.array(value)[0] for name, value in result.items()}


def dense(tensors, name, x):
    return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("task", ENDINGS)
def test_a_fine_tuned_folder_answers_as_it_was_trained_to(tmp_path, kind, task):
    folder, tensors = write_fine_tuned(tmp_path, kind, task)
    assert fine_tuned_task(folder) == task
    found = read_fine_tuned(folder)
    assert (found.task, found.multi_label, found.max_length) == (task, False, 10)
    assert found.labels == (() if task == "question-answering" else ("A", "B", "C"))
    states = hidden_states(kind, CONFIGS[kind], tensors, IDS, np.zeros_like(IDS))
    if task == "question-answering":
        logits = dense(tensors, "qa_outputs", states)
        expected = {"start_logits": logits[:, 0], "end_logits": logits[:, 1]}
    elif task == "token-classification":
        expected = {"logits": dense(tensors, "classifier", states)}
    else:
        first, activation, last = HEADS[kind]
        expected = {"logits": dense(tensors, last, activation(dense(tensors, first, states[0])))}
    for name, value in outputs(found.model).items():
        np.testing.assert_allclose(value, expected.pop(name), atol=1e-4)
    assert not expected


def test_a_bare_encoder_has_no_task(bert):
    assert fine_tuned_task(bert) is None
    with pytest.raises(ValueError, match="ForSequenceClassification"):
        read_fine_tuned(bert)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": 2}, r"classifier\.weight \[3, 8\]\. Received: .*with \[2, 8\]"),
        ({"id2label": {"0": "A", "2": "B"}}, "must name its labels in id2label"),
        ({"id2label": None}, "must name its labels in id2label"),
    ],
)
def test_a_head_that_contradicts_config_json_is_refused(tmp_path, options, message):
    folder, _ = write_fine_tuned(tmp_path, "bert", "token-classification", **options)
    with pytest.raises(ValueError, match=message):
        read_fine_tuned(folder)


def test_a_missing_head_is_refused(tmp_path):
    changes = {"architectures": ["BertForTokenClassification"], "id2label": {"0": "A"}}
    with pytest.raises(ValueError, match=r"classifier\.weight \[1, 8\]\. Received: .*with none"):
        read_fine_tuned(write_folder(tmp_path, "bert", **changes))


def test_multi_label_folders_say_so(tmp_path):
    folder, _ = write_fine_tuned(tmp_path, "bert", "text-classification", problem_type="multi_label_classification")
    assert read_fine_tuned(folder).multi_label
    assert len(WORDS) == read_fine_tuned(folder).tokenizer.get_vocab_size()

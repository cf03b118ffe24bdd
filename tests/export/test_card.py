"""The model card says what the manifest says."""

import pytest

from kerasllm.export.card import columns, model_card, variant_rows

MANIFEST = {
    "producer": {"name": "kerasllm", "version": "0.1.0"},
    "task": "text-classification",
    "labels": ["negative", "positive"],
    "multi_label": False,
    "preprocessing": {"max_length": 200},
    "cpu": {"model": "A CPU", "cores": 2, "exact_int8": False},
    "variants": {
        "fp32": {
            "bytes": 1_640_000,
            "parity": {"max_abs_difference": 3.1e-7},
            "metric": {"name": "accuracy", "value": 0.8442, "examples": 1821},
            "latency_ms": {"p50": 0.41, "tokens": 19},
        },
        "int8": {
            "bytes": 450_000,
            "parity": {"max_abs_difference": 0.012, "agreement": 0.998},
            "metric": {"name": "accuracy", "value": 0.8431, "examples": 1821, "drop": 0.0011},
            "latency_ms": {"p50": 0.3, "tokens": 19},
            "coverage": {"quantized": 3, "total": 4},
        },
    },
}


def test_the_table_has_what_was_measured():
    assert variant_rows(MANIFEST) == [
        ["fp32", "1.64", "84.42", "-", "3.1e-07", "-", "0.410"],
        ["int8", "0.45", "84.31", "99.80", "1.2e-02", "3 of 4", "0.300"],
    ]
    assert columns(MANIFEST)[2] == "accuracy %"


def test_the_card_has_a_readable_header_and_the_facts():
    card = model_card(MANIFEST, "reviews")
    _, header, body = card.split("---\n", 2)
    assert header.splitlines() == ["library_name: kerasllm", "pipeline_tag: text-classification"]
    for fact in ("# reviews", "`negative`, `positive`", "200 tokens", "1,821 validation texts", "A CPU without VNNI"):
        assert fact in body
    assert "| int8 | 0.45 |" in body


SETTINGS = {
    "token-classification": ({"scheme": "BIO"}, "read in overlapping windows", "tagger = load("),
    "question-answering": ({"stride": 64, "null": True}, "may say that there is no answer", "reader(question="),
    "feature-extraction": (
        {"pooling": "cls", "normalize": True, "dimensions": 384},
        "384 numbers of length 1 (pooling: cls)",
        "encoder([",
    ),
    "fill-mask": ({"mask_token": "<mask>"}, "fills in `<mask>`", '"... <mask> ..."'),
}


@pytest.mark.parametrize("task", SETTINGS)
def test_each_task_has_its_own_facts_and_its_own_use(task):
    settings, fact, use = SETTINGS[task]
    card = model_card({**MANIFEST, "task": task, "settings": settings}, "mine")
    assert f"pipeline_tag: {task}" in card
    assert fact in card
    assert use in card
    assert "classifier" not in card


def test_vectors_are_compared_by_their_cosine():
    int8 = MANIFEST["variants"]["int8"] | {"parity": {"max_abs_difference": 0.01, "cosine": 0.99912}}
    manifest = {**MANIFEST, "task": "feature-extraction", "variants": {"int8": int8}}
    assert columns(manifest)[3] == "cosine to fp32"
    assert variant_rows(manifest)[0][3] == "0.99912"


def test_what_was_not_measured_is_said():
    variants = {"fp32": {key: value for key, value in MANIFEST["variants"]["fp32"].items() if key != "metric"}}
    assert "not measured" in model_card({**MANIFEST, "variants": variants}, "reviews")

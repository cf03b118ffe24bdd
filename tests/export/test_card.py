"""The model card says what the manifest says."""

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


def test_what_was_not_measured_is_said():
    variants = {"fp32": {key: value for key, value in MANIFEST["variants"]["fp32"].items() if key != "metric"}}
    assert "not measured" in model_card({**MANIFEST, "variants": variants}, "reviews")

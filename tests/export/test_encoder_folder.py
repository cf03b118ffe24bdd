"""A pretrained encoder's folder becomes a bundle of sentence vectors, pooled as its own files say."""

import json

import numpy as np
import pytest

from kerasllm.export import export_source, verification
from kerasllm.models.encoder import EncoderConfig, open_encoder
from kerasllm.serving import load

from ..kerasllm.pretrained.folders import CONFIGS, random_tensors, write_folder

# Keras 3.15 reads variables in a way that numpy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PAIRS = [("a good film", "very good film", 4.0), ("a long bad film", "a film", 2.5), ("good", "bad", 0.5)]


def write_pooling(folder, *kinds, **modes):
    """The files of sentence-transformers."""
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({f"pooling_mode_{k}": v for k, v in modes.items()}))
    chain = [{"idx": i, "type": f"sentence_transformers.models.{kind}"} for i, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(chain))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 8}')


def test_vectors_are_those_of_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(verification, "_SECONDS", 0.02)
    folder = write_folder(tmp_path / "encoder")
    write_pooling(folder, "Transformer", "Pooling", "Normalize", cls_token=True, mean_tokens=False)
    rows = [{"sentence1": first, "sentence2": second, "score": score} for first, second, score in PAIRS]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {"variants": ["fp32"], "validation": str(tmp_path / "pairs.jsonl")}
    manifest = export_source(folder, tmp_path / "bundle", **options)
    assert manifest["settings"] == {"pooling": "cls", "normalize": True, "dimensions": 8}
    assert manifest["preprocessing"]["max_length"] == 8
    assert manifest["variants"]["fp32"]["metric"]["name"] == "Spearman"
    encoder = open_encoder(EncoderConfig(encoder=str(folder)))
    ids = np.array([encoder.tokenizer.encode("a good film").ids])
    arrays = {"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    first = np.asarray(encoder.backbone()(arrays))[0, 0]
    vector = load(tmp_path / "bundle")("a good film")
    np.testing.assert_allclose(vector, first / np.linalg.norm(first), atol=1e-5)


@pytest.mark.parametrize(
    ("kinds", "modes", "match"),
    [
        (("Transformer", "Pooling", "Dense"), {"mean_tokens": True}, "Received: Dense, Pooling, Transformer"),
        (("Transformer", "Pooling"), {"max_tokens": True}, "Received: pooling_mode_max_tokens"),
        (("Transformer", "Pooling"), {"mean_tokens": True, "cls_token": True}, "Say --pooling"),
    ],
)
def test_a_pooling_that_is_not_known_is_refused(tmp_path, kinds, modes, match):
    folder = write_folder(tmp_path / "encoder")
    write_pooling(folder, *kinds, **modes)
    with pytest.raises(ValueError, match=match):
        export_source(folder, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_task_that_needs_training_is_refused(tmp_path):
    folder = write_folder(tmp_path / "encoder")
    with pytest.raises(ValueError, match=r"no trained head\. Received: 'token-classification'"):
        export_source(folder, tmp_path / "bundle", task="token-classification")
    with pytest.raises(ValueError, match="Received: --labels"):
        export_source(folder, tmp_path / "bundle", labels=["a"])


def test_a_fine_tuned_folder_is_exported_with_its_head(tmp_path, monkeypatch):
    monkeypatch.setattr(verification, "_SECONDS", 0.02)
    tensors = random_tensors("bert", CONFIGS["bert"])
    draw = np.random.default_rng(1)
    tensors |= {"classifier.weight": draw.normal(0, 1, (3, 8)).astype("float32"), "classifier.bias": np.zeros(3, "f4")}
    names = {"0": "O", "1": "B-X", "2": "I-X"}
    changes = {"architectures": ["BertForTokenClassification"], "id2label": names}
    folder = write_folder(tmp_path / "encoder", tensors=tensors, **changes)
    manifest = export_source(folder, tmp_path / "bundle", variants=["fp32"])
    assert (manifest["task"], manifest["labels"]) == ("token-classification", list(names.values()))
    assert isinstance(load(tmp_path / "bundle")("a good film"), list)
    vectors = export_source(folder, tmp_path / "vectors", task="feature-extraction", variants=["fp32"])
    assert vectors["settings"]["dimensions"] == 8

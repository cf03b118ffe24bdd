import json

import numpy as np
import pytest

from kerasllm.data.batches import BatchConfig
from kerasllm.data.sources import DataConfig
from kerasllm.models.encoder import EncoderConfig
from kerasllm.tasks.classification import ClassificationHead
from kerasllm.tasks.embedding import EmbeddingHead
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.finetuning import FinetuningConfig, finetune
from kerasllm.training.history import read_history
from kerasllm.training.tuning import TuningConfig

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pairs of colours, of which the second decides: the label is whether it is red."""
    folder = tmp_path_factory.mktemp("pairs")
    random = np.random.default_rng(0)
    for split, count in (("train", 160), ("validation", 40)):
        with (folder / f"{split}.jsonl").open("w") as file:
            for _ in range(count):
                first, second = random.choice(["red", "green", "blue"], 2)
                row = {"sentence1": first, "sentence2": second, "label": int(second == "red")}
                file.write(json.dumps(row) + "\n")
    return DataConfig(source=str(folder))


def settings(data, **changes):
    given = {
        "data": data,
        "encoder": EncoderConfig(encoder="tiny", layers=1, hidden=32, intermediate=64, positions=16, dropout=0.0),
        "tokenizer": TokenizerConfig(vocab_size=60, max_length=16),
        "head": ClassificationHead(dropout=0.0),
        "batches": BatchConfig(batch_size=16),
        "training": FinetuningConfig(epochs=8, patience=0, learning_rate=5e-3),
        "tuning": TuningConfig(),
    }
    return given | changes


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    return finetune(**settings(data), out=tmp_path_factory.mktemp("run") / "run")


def test_an_encoder_from_scratch_learns_which_text_is_the_second(run):
    assert run.metrics["validation"]["accuracy"] > 0.9
    assert [name for name in run.load_tokenizer().encode("red", "blue").tokens if name.startswith("[")]
    assert {tensor.name for tensor in run.load_model().inputs} == {"input_ids", "attention_mask", "token_type_ids"}
    assert run.config["task"] == "text-classification"
    assert run.config["head"]["pooling"] == "mean"


def test_a_run_is_an_encoder_to_go_on_from(run, data, tmp_path):
    encoder = EncoderConfig(encoder=str(run.path))
    training = FinetuningConfig(epochs=1, learning_rate=1e-6)
    again = finetune(
        **settings(data, encoder=encoder, training=training, tuning=TuningConfig(freeze_layers=1)), out=tmp_path / "run"
    )
    before, after = run.load_model(), again.load_model()
    for layer in before.layers:
        if layer.weights and layer.name != "logits":
            for one, other in zip(layer.get_weights(), after.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)


def test_the_head_says_the_task(data, tmp_path):
    training = FinetuningConfig(epochs=1)
    run = finetune(**settings(data, head=EmbeddingHead(), training=training), out=tmp_path / "run")
    assert run.config["task"] == "feature-extraction"
    assert read_history(run.path / "history.csv")[0]["validation_accuracy"] == pytest.approx(
        run.metrics["validation"]["accuracy"]
    )


def test_more_tokens_than_positions_are_refused_before_anything_is_written(data, tmp_path):
    with pytest.raises(ValueError, match="at most the encoder's 16 positions"):
        finetune(**settings(data, tokenizer=TokenizerConfig(vocab_size=60, max_length=17)), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()

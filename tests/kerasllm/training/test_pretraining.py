"""Running text to a RUN that other tasks start from."""

from dataclasses import replace

import numpy as np
import pytest

from kerasllm.data.masking import MaskingConfig
from kerasllm.data.running_text import RunningTextConfig
from kerasllm.models.encoder import EncoderConfig, open_encoder
from kerasllm.run import open_run
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.history import read_history
from kerasllm.training.pretraining import RowConfig, pretrain
from kerasllm.training.settings import TrainingConfig

from ...tasks.small import sentences

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
TINY = EncoderConfig(encoder="tiny", layers=2, heads=2, hidden=16, intermediate=32, positions=16, dropout=0.0)
TRAINING = TrainingConfig(epochs=2, patience=0, learning_rate=0.01)


def run(tmp_path, name, *, training=TRAINING, masking=None, encoder=TINY, **options):
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join("\n".join(sentences()[start::8]) for start in range(8) for _ in range(4)))
    texts = RunningTextConfig(texts=(path,), validation=path)
    tokenizer = TokenizerConfig(vocab_size=120, max_length=16)
    rows = RowConfig(batch_size=4)
    return pretrain(texts, tokenizer, encoder, masking or MaskingConfig(), rows, training, tmp_path / name, **options)


def test_a_run_is_an_encoder_and_goes_on_where_it_stopped(tmp_path):
    whole = run(tmp_path, "whole")
    history = read_history(whole.path / "history.csv")
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]
    assert whole.metrics["validation"]["perplexity"] == pytest.approx(np.exp(whole.metrics["validation"]["loss"]))
    assert (whole.config["task"], whole.labels, whole.max_length) == ("fill-mask", (), 16)

    encoder = open_encoder(EncoderConfig(encoder=str(whole.path)))
    assert (encoder.hidden, encoder.layers, encoder.vocab_size) == (16, 2, encoder.tokenizer.get_vocab_size())
    model = open_run(whole.path).load_model()
    for weight in encoder.backbone().weights:
        layer = model.get_layer(weight.path.split("/")[0])
        same = [own for own in layer.weights if own.path == weight.path]
        np.testing.assert_array_equal(same[0], weight)

    (whole.path / "metrics.json").unlink()
    (whole.path / "checkpoints" / "epoch-0002.npz").unlink()  # as if killed in the second epoch
    again = run(tmp_path, "whole", resume=True)
    np.testing.assert_array_equal(again.load_model().get_weights()[0], model.get_weights()[0])
    with pytest.raises(ValueError, match=r"head\.masked_share"):
        run(tmp_path, "whole", masking=MaskingConfig(masked_share=0.2), resume=True)


def test_next_sentences_and_going_on_from_a_run(tmp_path):
    options = {"masking": MaskingConfig(next_sentence=True, whole_words=True)}
    first = run(tmp_path, "first", training=replace(TRAINING, epochs=1), **options)
    assert 0 <= first.metrics["validation"]["next_sentence_accuracy"] <= 1
    encoder = EncoderConfig(encoder=str(first.path))
    second = run(tmp_path, "second", training=replace(TRAINING, epochs=1), encoder=encoder)
    assert second.load_tokenizer().to_str() == first.load_tokenizer().to_str()


def test_a_folder_that_is_taken(tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(FileExistsError, match="--resume"):
        run(tmp_path, "taken")
    with pytest.raises(ValueError, match="`batch_size`"):
        RowConfig(batch_size=0)

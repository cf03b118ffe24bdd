"""Running text to a RUN that writes."""

from dataclasses import replace

import numpy as np
import pytest

from kerasllm.data.plain_texts import PlainTextConfig
from kerasllm.models.decoder import DecoderConfig, open_decoder
from kerasllm.models.writing import write_text
from kerasllm.tokenizing.decoder_tokenizer import DecoderTokenizerConfig
from kerasllm.training.decoder_pretraining import CausalRowConfig, pretrain_decoder
from kerasllm.training.history import read_history
from kerasllm.training.settings import TrainingConfig

from ...tasks.small import sentences

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
TINY = DecoderConfig(decoder="nano", layers=2, heads=2, hidden=32, context=16)
TRAINING = TrainingConfig(epochs=2, patience=0, learning_rate=0.02)


def run(tmp_path, name, *, decoder=TINY, training=TRAINING, **options):
    path = tmp_path / "text.txt"
    path.write_text("\n\n".join("\n".join(sentences()[start::8]) for start in range(8) for _ in range(4)))
    tokenizer = DecoderTokenizerConfig(vocab_size=290, max_length=16)
    rows = CausalRowConfig(batch_size=8, prompts=("the cat",))
    texts = PlainTextConfig(texts=(path,), documents="paragraph")
    return pretrain_decoder(texts, tokenizer, decoder, rows, training, tmp_path / name, **options)


def test_a_run_writes_and_goes_on_where_it_stopped(tmp_path, capsys):
    whole = run(tmp_path, "whole")
    history = read_history(whole.path / "history.csv")
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]
    assert 0 < history[-1]["flop_utilisation"] < 1
    assert "'the cat'" in capsys.readouterr().err
    scores = whole.metrics["validation"]
    assert scores["perplexity"] == pytest.approx(np.exp(scores["loss"]))
    assert scores["loss"] == -scores["log_likelihood"]
    assert (whole.task, whole.max_length, whole.config["head"]["ends"]) == ("text-generation", 16, ["<|endoftext|>"])
    decoder = open_decoder(DecoderConfig(decoder=str(whole.path)))
    options = {"context": 16, "max_new_tokens": 8, "opening": 0}
    said = write_text(whole.load_model(), decoder.tokenizer, "the", **options)
    assert said == write_text(decoder.model(), decoder.tokenizer, "the", **options)

    (whole.path / "metrics.json").unlink()
    (whole.path / "checkpoints" / "epoch-0002.npz").unlink()  # as if killed in the second epoch
    again = run(tmp_path, "whole", resume=True)
    assert again.metrics["validation"] == scores
    with pytest.raises(ValueError, match="decoder"):
        run(tmp_path, "whole", decoder=replace(TINY, layers=1), resume=True)


def test_gradients_add_up_to_one_step(tmp_path):
    training = replace(TRAINING, epochs=1, accumulate=4)
    scores = run(tmp_path, "slow", training=training).metrics["validation"]
    faster = run(tmp_path, "fast", training=replace(training, accumulate=1)).metrics["validation"]
    assert faster["loss"] < scores["loss"] < np.log(290)

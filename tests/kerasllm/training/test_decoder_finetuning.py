"""Dialogues to a RUN that answers."""

import json

import numpy as np
import pytest

from kerasllm.data.dialogues import DialogueConfig
from kerasllm.models.decoder import DecoderConfig
from kerasllm.training.decoder_finetuning import ChatRowConfig, ChatTokenizerConfig, finetune_decoder
from kerasllm.training.finetuning import FinetuningConfig
from kerasllm.training.tuning import TuningConfig

from ...tasks.small import ANIMALS, PLACES

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
TINY = DecoderConfig(decoder="nano", layers=2, heads=2, hidden=32, context=64)


def run(tmp_path, name, decoder=TINY, *, length=64, **tuning):
    path = tmp_path / "data.jsonl"
    rows = [
        {"instruction": f"Where is the {a}?", "input": p, "output": f"In the {p}."} for a in ANIMALS for p in PLACES
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return finetune_decoder(
        DialogueConfig(source=str(path)),
        decoder,
        ChatTokenizerConfig(vocab_size=300, max_length=length),
        ChatRowConfig(batch_size=4),
        FinetuningConfig(epochs=1, learning_rate=0.02, patience=0),
        TuningConfig(**tuning),
        tmp_path / name,
    )


def test_a_run_answers_and_low_ranks_are_merged(tmp_path, capsys):
    first = run(tmp_path, "first")
    assert "<|im_start|>assistant" in capsys.readouterr().err
    assert first.config["head"]["ends"] == ["<|im_end|>", "<|endoftext|>"]
    second = run(tmp_path, "second", DecoderConfig(decoder=str(first.path)), lora_rank=2)
    assert second.config["head"] == first.config["head"]
    before, after = first.load_model(), second.load_model()
    moved = [
        weight.path
        for weight, old, new in zip(after.weights, before.get_weights(), after.get_weights(), strict=True)
        if not np.array_equal(old, new)
    ]
    assert any("query" in path for path in moved)
    assert not any("embedding" in path or "key" in path for path in moved)


def test_rows_that_no_answer_fits_in(tmp_path):
    with pytest.raises(ValueError, match="larger --tokenizer"):
        run(tmp_path, "short", length=8)

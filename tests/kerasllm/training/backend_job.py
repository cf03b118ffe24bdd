"""A decoder's training and the same decoder's fine-tuning, on the backend that KERAS_BACKEND names."""

import json
import sys
from pathlib import Path

from kerasllm.data.dialogues import DialogueConfig
from kerasllm.data.plain_texts import PlainTextConfig
from kerasllm.models.decoder import DecoderConfig
from kerasllm.tokenizing.decoder_tokenizer import DecoderTokenizerConfig
from kerasllm.training.decoder_finetuning import ChatRowConfig, ChatTokenizerConfig, finetune_decoder
from kerasllm.training.decoder_pretraining import CausalRowConfig, pretrain_decoder
from kerasllm.training.finetuning import FinetuningConfig
from kerasllm.training.settings import TrainingConfig
from kerasllm.training.tuning import TuningConfig


def main() -> None:
    """Prints the losses."""
    import keras

    folder = Path(sys.argv[1])
    (folder / "text.txt").write_text("the cat sleeps in the house .\n" * 40)
    base = pretrain_decoder(
        PlainTextConfig(texts=(folder / "text.txt",)),
        DecoderTokenizerConfig(kind="char", max_length=16),
        DecoderConfig(decoder="nano", layers=1, heads=2, hidden=16, context=48),
        CausalRowConfig(batch_size=8, prompts=()),
        TrainingConfig(epochs=2, patience=0, learning_rate=0.02, accumulate=2),
        folder / "base",
    )
    (folder / "data.jsonl").write_text('{"prompt": "cat", "completion": "the"}\n{"prompt": "he", "completion": "in"}\n')
    tuned = finetune_decoder(
        DialogueConfig(source=str(folder / "data.jsonl")),
        DecoderConfig(decoder=str(base.path)),
        ChatTokenizerConfig(max_length=48),
        ChatRowConfig(batch_size=2, prompts=()),
        FinetuningConfig(epochs=1),
        TuningConfig(lora_rank=2),
        folder / "tuned",
    )
    losses = [run.metrics["validation"]["loss"] for run in (base, tuned)]
    print(json.dumps({"backend": keras.backend.backend(), "losses": losses}))


if __name__ == "__main__":
    main()

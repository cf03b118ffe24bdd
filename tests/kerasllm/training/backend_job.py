"""Pretrains, fine-tunes, exports, serves and resumes on the backend that KERAS_BACKEND names; in the folder named."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kerasllm.data.batches import BatchConfig
from kerasllm.data.dialogues import DialogueConfig
from kerasllm.data.plain_texts import PlainTextConfig
from kerasllm.data.sources import DataConfig
from kerasllm.export import export_source
from kerasllm.models.decoder import DecoderConfig
from kerasllm.models.encoder import EncoderConfig
from kerasllm.run import Run
from kerasllm.serving import load
from kerasllm.tasks.classification import ClassificationHead
from kerasllm.tokenizing.decoder_tokenizer import DecoderTokenizerConfig
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training import fitting
from kerasllm.training.decoder_finetuning import ChatRowConfig, ChatTokenizerConfig, finetune_decoder
from kerasllm.training.decoder_pretraining import CausalRowConfig, pretrain_decoder
from kerasllm.training.finetuning import FinetuningConfig, finetune
from kerasllm.training.settings import TrainingConfig
from kerasllm.training.tuning import TuningConfig

TRAINING = TrainingConfig(epochs=2, patience=0, learning_rate=0.02, accumulate=2, average=0.5)


def main() -> None:
    """Prints what came of it."""
    import keras

    folder = Path(sys.argv[-1])
    base, tuned, encoder = _pretrained(folder, "base"), _tuned(folder), _encoder(folder)
    found = [run.metrics["validation"]["loss"] for run in (base, tuned)]
    exported = [_exported(run, folder / f"{run.path.name}-bundle") for run in (base, encoder)]
    result = {"backend": keras.backend.backend(), "losses": found, "exported": exported}
    print(
        json.dumps({**result, "resumed": _resumed(folder, base), "tensorflow": sys.modules["tensorflow"] is not None})
    )


def _pretrained(folder: Path, name: str, **options: Any) -> Run:
    (folder / "text.txt").write_text("the cat sleeps in the house .\n" * 40)
    return pretrain_decoder(
        PlainTextConfig(texts=(folder / "text.txt",)),
        DecoderTokenizerConfig(kind="char", max_length=16),
        DecoderConfig(decoder="nano", layers=1, heads=2, hidden=16, context=48, dropout=0.1),
        CausalRowConfig(batch_size=8, prompts=()),
        TRAINING,
        folder / name,
        **options,
    )


def _tuned(folder: Path) -> Run:
    (folder / "data.jsonl").write_text('{"prompt": "cat", "completion": "the"}\n{"prompt": "he", "completion": "in"}\n')
    return finetune_decoder(
        DialogueConfig(source=str(folder / "data.jsonl")),
        DecoderConfig(decoder=str(folder / "base")),
        ChatTokenizerConfig(max_length=48),
        ChatRowConfig(batch_size=2, prompts=()),
        FinetuningConfig(epochs=1),
        TuningConfig(lora_rank=2),
        folder / "tuned",
    )


def _encoder(folder: Path) -> Run:
    return finetune(
        DataConfig(source="builtin:reviews", limit=60),
        EncoderConfig(encoder="tiny", layers=1, hidden=16, intermediate=16),
        TokenizerConfig(kind="wordpiece", vocab_size=300, max_length=32),
        ClassificationHead(),
        BatchConfig(batch_size=16),
        replace(FinetuningConfig(), epochs=1, mixed_precision=True),
        TuningConfig(freeze_layers=1, layer_decay=0.9),
        folder / "encoder",
    )


def _exported(run: Run, out: Path) -> dict[str, float]:
    """The largest difference between Keras and the graph, and whether the bundle answers."""
    manifest = export_source(run.path, out, variants=("fp32", "int8"), max_drop=100.0)
    for variant in ("fp32", "int8"):
        served = load(out, variant=variant)
        answer = served.generate("the", max_new_tokens=3).text if hasattr(served, "generate") else served("not bad")
        assert answer
    return manifest["variants"]["fp32"]["parity"]["max_abs_difference"]


def _resumed(folder: Path, whole: Run) -> bool:
    """Whether a run that was stopped after its first epoch ends with the weights of one that was not."""
    publish = fitting._publish

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    fitting._publish = stop
    try:
        _pretrained(folder, "resumed")
    except KeyboardInterrupt:
        fitting._publish = publish
    other = _pretrained(folder, "resumed", resume=True)
    pairs = zip(whole.load_model().get_weights(), other.load_model().get_weights(), strict=True)
    return all(np.array_equal(one, two) for one, two in pairs)


if __name__ == "__main__":
    main()

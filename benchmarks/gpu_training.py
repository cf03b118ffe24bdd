"""How fast does training go on a GPU: a decoder of GPT-2 small's shape, and a classifier on MiniLM's?

    KERAS_BACKEND=jax python benchmarks/gpu_training.py [--out FILE] [--only decoder encoder] [--quick]

`pretrain_decoder` and `finetune` train as on the command line, in float32 and with mixed precision, on words drawn at
random: what they mean changes no speed. Tokens a second are of a whole epoch after the first, which compiles. FLOP
utilisation is the share of what matrix products of the same type reach on this machine (kerasllm/training/utilisation).
It needs nothing but what training needs, and no TensorFlow on JAX or PyTorch. `--quick` shows on a CPU that it runs.
"""

import argparse
import gc
import json
import os
import platform
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from kerasllm.data.batches import BatchConfig
from kerasllm.data.plain_texts import PlainTextConfig
from kerasllm.data.sources import DataConfig
from kerasllm.models.decoder import DecoderConfig
from kerasllm.models.encoder import EncoderConfig
from kerasllm.run import Run
from kerasllm.tasks.classification import ClassificationHead
from kerasllm.tokenizing.bert_tokenizer import make_bert_tokenizer
from kerasllm.tokenizing.decoder_tokenizer import END, DecoderTokenizerConfig
from kerasllm.tokenizing.tokenizer import TokenizerConfig, save_tokenizer
from kerasllm.training.decoder_pretraining import CausalRowConfig, pretrain_decoder
from kerasllm.training.finetuning import FinetuningConfig, finetune
from kerasllm.training.history import read_history
from kerasllm.training.settings import TrainingConfig
from kerasllm.training.tuning import TuningConfig

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
DECODER: dict[str, Any] = {"layers": 12, "heads": 12, "hidden": 768, "context": 1024}  # GPT-2 small
ENCODER: dict[str, Any] = {"layers": 6, "heads": 12, "hidden": 384, "intermediate": 1536}  # MiniLM-L6
SIZES = {  # words, rows of a batch, steps of an epoch, tokens of a row
    "decoder": (50_257, 8, 40, 1024),
    "encoder": (30_522, 128, 100, 128),
}
QUICK = {"decoder": (500, 2, 3, 64), "encoder": (500, 8, 3, 32)}
EPOCHS = 2
HEAD = """# Training on a GPU

`KERAS_BACKEND={backend} python benchmarks/gpu_training.py`, {versions}, on {device}. {note}

| training | parameters | batch | computes in | tokens/s | FLOP utilisation | loss | seconds in all |
|---|---:|---:|---|---:|---:|---:|---:|
{rows}"""


def main() -> None:
    """Trains both, and writes the table after every training."""
    words = argparse.ArgumentParser()
    words.add_argument("--out", type=Path)
    words.add_argument("--only", nargs="+", choices=tuple(TRAININGS), default=list(TRAININGS))
    words.add_argument("--precision", nargs="+", choices=("float32", "mixed"), default=["float32", "mixed"])
    words.add_argument("--batch", type=int, help="rows of a batch")
    words.add_argument("--quick", action="store_true")
    given = words.parse_args()
    if given.quick:
        DECODER["layers"] = ENCODER["layers"] = 1
    rows = []
    for name in given.only:
        for precision in given.precision:
            rows.append(row(name, precision == "mixed", given))
            report = heading("".join(rows))
            print(rows[-1], flush=True)
            if given.out:
                given.out.parent.mkdir(parents=True, exist_ok=True)
                given.out.write_text(report)
    print(report)


def row(name: str, mixed: bool, given: argparse.Namespace) -> str:
    """A line of the table: what one training reached, or why it did not."""
    import keras

    vocabulary, batch, steps, length = (QUICK if given.quick else SIZES)[name]
    batch, start = given.batch or batch, time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            run, utilisation = TRAININGS[name](Path(folder), vocabulary, batch, steps, length, mixed)
            last = read_history(run.path / "history.csv")[-1]
            cells = [f"{last['tokens_per_second']:,.0f}", f"{utilisation(last):.1%}", f"{last['train_loss']:.3f}"]
            parameters = f"{run.metrics['parameters'] / 1e6:.0f} M"
        except Exception as error:  # the other trainings are worth their time
            traceback.print_exc()
            parameters, cells = "", [type(error).__name__, "", ""]
    keras.utils.clear_session(free_memory=True)
    gc.collect()
    cells = [f"{name}, {length} tokens a row", parameters, str(batch), computes_in(mixed), *cells]
    return f"| {' | '.join(cells)} | {time.perf_counter() - start:.0f} |\n"


def train_decoder(
    folder: Path, vocabulary: int, batch: int, steps: int, length: int, mixed: bool
) -> tuple[Run, Callable[[dict[str, float]], float]]:
    """`pretrain` from scratch; its history has the utilisation."""
    tokens = {END: 0} | {f"w{number}": number for number in range(1, vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token=END))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    save_tokenizer(tokenizer, folder / "tokenizer.json")
    (folder / "text.txt").write_text("\n".join(texts(vocabulary, 12 * batch, length)))
    run = pretrain_decoder(
        PlainTextConfig(texts=(folder / "text.txt",)),
        DecoderTokenizerConfig(file=folder / "tokenizer.json", max_length=length),
        DecoderConfig(decoder="small", architecture="gpt2", **DECODER),
        CausalRowConfig(batch_size=batch, steps=steps, prompts=()),
        TrainingConfig(epochs=EPOCHS, patience=0, mixed_precision=mixed, deterministic=False),
        folder / "run",
    )
    return run, lambda row: row["flop_utilisation"]


def train_encoder(
    folder: Path, vocabulary: int, batch: int, steps: int, length: int, mixed: bool
) -> tuple[Run, Callable[[dict[str, float]], float]]:
    """`finetune` from scratch; operations are counted here, as `training_flops` does those of a decoder."""
    words = [*SPECIAL, *(f"w{number}" for number in range(vocabulary - len(SPECIAL)))]
    save_tokenizer(make_bert_tokenizer(words, lowercase=False), folder / "tokenizer.json")
    found = texts(vocabulary - len(SPECIAL), batch * steps * 10 // 9, length - 2)  # a tenth of them is held out
    lines = (json.dumps({"text": text, "label": "ab"[number % 2]}) for number, text in enumerate(found))
    (folder / "data.jsonl").write_text("\n".join(lines))
    run = finetune(
        DataConfig(source=str(folder / "data.jsonl")),
        EncoderConfig(encoder="small", **ENCODER),
        TokenizerConfig(file=folder / "tokenizer.json", max_length=length),
        ClassificationHead(),
        BatchConfig(batch_size=batch),
        FinetuningConfig(epochs=EPOCHS, patience=0, mixed_precision=mixed, deterministic=False),
        TuningConfig(),
        folder / "run",
    )
    hidden, layers = ENCODER["hidden"], ENCODER["layers"]
    weights = layers * (4 * hidden**2 + 2 * hidden * ENCODER["intermediate"])
    flops = 6.0 * weights + 12.0 * layers * hidden * length

    def share(row: dict[str, float]) -> float:
        from kerasllm.training.utilisation import utilisation

        return utilisation(flops * row["tokens_per_second"], half_of(mixed) or "float32")

    return run, share


def texts(vocabulary: int, count: int, length: int) -> list[str]:
    """Texts of so many words, the frequent ones as frequent as in a language."""
    drawn = np.random.default_rng(0).zipf(1.2, (count, length)) % vocabulary
    return [" ".join(f"w{number}" for number in line) for line in drawn]


def half_of(mixed: bool) -> str | None:
    """The 16-bit type of a training with mixed precision."""
    from kerasllm.training.precision import half_precision

    return half_precision() if mixed else None


def computes_in(mixed: bool) -> str:
    """The type of the products, for the table."""
    from kerasllm.training.devices import rounds_float32

    return half_of(mixed) or ("float32, rounded to TF32" if rounds_float32() else "float32")


def heading(rows: str) -> str:
    """The whole report."""
    from importlib.metadata import version

    import keras

    from kerasllm.training.devices import gpus

    backend = keras.backend.backend()
    versions = ", ".join(f"{name} {version(name)}" for name in (backend, "keras", "keras-hub"))
    device = gpus()[0].name if gpus() else f"a CPU ({platform.machine()})"
    note = f"Steps of an epoch: {SIZES['decoder'][2]} and {SIZES['encoder'][2]}; `--quick` has fewer, of smaller rows."
    return HEAD.format(backend=backend, versions=versions, device=device, note=note, rows=rows)


TRAININGS = {"decoder": train_decoder, "encoder": train_encoder}

if __name__ == "__main__":
    main()

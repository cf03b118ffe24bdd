"""A small training as its own process, for tests that kill it or give it two devices.

    python training_job.py DATA OUT [--encoder gru] [--die-in EPOCH] [--devices 2]

It dies (SIGKILL) after the second batch of that epoch, counted from 1.
"""

import argparse
import os
import signal
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from kerasllm.data.batches import BatchConfig
from kerasllm.data.sources import DataConfig
from kerasllm.models.classifier import ClassifierConfig
from kerasllm.run import Run
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training.classifier_training import train
from kerasllm.training.settings import TrainingConfig


def settings(data: Path, encoder: Any = "mlp") -> dict:
    """Settings with everything that has a state: dropout, schedule, average of the weights, patience."""
    return {
        "data": DataConfig(source=str(data)),
        "tokenizer": TokenizerConfig(),
        "model": ClassifierConfig(encoder=encoder, embedding_dim=8, units=8, pooling="max", word_dropout=0.1),
        "batches": BatchConfig(batch_size=8),
        "training": TrainingConfig(epochs=3, learning_rate=0.02, schedule="cosine", average=0.5, tensorboard=True),
    }


def run_job(data: Path, out: Path, encoder: str = "mlp", **options: bool) -> Run:
    return train(**settings(data, encoder), out=out, **options)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--encoder", default="mlp")
    parser.add_argument("--die-in", type=int)
    parser.add_argument("--devices", type=int, default=1)
    words = parser.parse_args()
    import tensorflow as tf

    from kerasllm.training import devices
    from kerasllm.training import trainer as fitting

    if words.devices > 1:
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * words.devices)
    if words.die_in:
        watch = fitting._Watch.on_train_batch_end

        def die(self, batch, logs=None):
            watch(self, batch, logs)
            if self._epoch + 1 == words.die_in and batch == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        fitting._Watch.on_train_batch_end = die
    run_job(words.data, words.out, words.encoder)
    print(type(devices.strategy()).__name__)


if __name__ == "__main__":
    main()

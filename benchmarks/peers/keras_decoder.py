"""Keras itself: `generate` of KerasHub's causal models on TensorFlow."""

import json
from pathlib import Path

import keras_hub
import numpy as np
from generating import Generator, serve


def prepare(checkpoint: Path, out: Path) -> None:
    """Nothing to convert."""


def load(checkpoint: Path, prepared: Path, threads: int):
    return {"fp32": lambda: opened(checkpoint)}


def opened(checkpoint: Path) -> Generator:
    kind = json.loads((checkpoint / "config.json").read_text())["model_type"]
    backbones = {"gpt2": keras_hub.models.GPT2Backbone, "llama": keras_hub.models.LlamaBackbone}
    models = {"gpt2": keras_hub.models.GPT2CausalLM, "llama": keras_hub.models.LlamaCausalLM}
    backbone = backbones[kind].from_preset(str(checkpoint), dtype="float32")
    model = models[kind](backbone=backbone, preprocessor=None)
    model.compile(sampler="greedy")

    def generate(prompt: list[int], count: int) -> list[int]:
        ids = np.zeros((1, len(prompt) + count), np.int32)
        ids[0, : len(prompt)] = prompt
        mask = (np.arange(ids.shape[1]) < len(prompt)).astype(np.int32)[None]
        answer = model.generate({"token_ids": ids, "padding_mask": mask}, stop_token_ids=None)
        return np.asarray(answer["token_ids"])[0, len(prompt) :].tolist()

    return Generator(generate, checkpoint / "model.safetensors")


if __name__ == "__main__":
    serve(prepare, load)

"""The encoder inside a RUN: what a pretraining, or a training for any task, has made of it."""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from ..extras import require
from ..run import open_run


def read_run(folder: Path) -> tuple[Any, Tokenizer]:
    """Cuts the encoder out of a run's model.

    Args:
        folder: A RUN folder.

    Returns:
        The encoder, from `token_ids`, `padding_mask` and maybe `segment_ids` to its hidden states, and its tokenizer.

    Raises:
        FileNotFoundError: A file of the run is missing.
        ValueError: It is damaged, or its model is no transformer encoder.
    """
    require("train", "keras_hub")  # its layers are known to Keras from here on
    run = open_run(folder)
    return cut_encoder(run.load_model(), folder), run.load_tokenizer()


def cut_encoder(model: Any, folder: Path) -> Any:
    """The part of a task's model that ends with the last transformer layer."""
    keras = require("train", "keras")
    layers = [layer for layer in model.layers if type(layer).__name__ == "TransformerEncoder"]
    if not layers:
        raise ValueError(f"An encoder must have transformer layers. Received: {folder}, whose model has none.")
    states = layers[-1]._inbound_nodes[-1].output_tensors[0]  # of its last call: albert calls one again and again
    names = {"input_ids": "token_ids", "attention_mask": "padding_mask", "token_type_ids": "segment_ids"}
    given = [tensor for tensor in model.inputs if tensor.name in names]
    part = keras.Function(given, states)
    inputs = {names[tensor.name]: keras.Input((None,), dtype="int32", name=names[tensor.name]) for tensor in given}
    return keras.Model(inputs, part.call(list(inputs.values())), name="encoder")

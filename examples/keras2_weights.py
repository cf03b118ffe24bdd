"""Models of Keras 2 days, from HDF5 weights to a bundle: a GRU classifier and an LSTM language model of characters.

    python examples/keras2_weights.py FOLDER OUT

FOLDER holds `reactionrnn_weights.hdf5` and `reactionrnn_vocab.json` (github.com/minimaxir/reactionrnn); OUT is the
bundle to make. Three things changed since: Keras 3's hard sigmoid has another slope; there is no CuDNNLSTM, whose
weights lie in another order; and character tokenizers were Python code beside the model, not a file.

One difference remains: of a longer text, the bundle reads the first 140 characters, `pad_sequences` kept the last.
"""

import json
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers, ops
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

REACTIONS = ("love", "wow", "haha", "sad", "angry")


def hard_sigmoid(x):
    """Keras 2's: clip(0.2 x + 0.5, 0, 1). Written in `keras.ops`, so an export sees what it is."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def reactionrnn(folder: Path, length: int = 140) -> keras.Model:
    """A text's reactions, of five kinds.

    Args:
        folder: Where `reactionrnn_weights.hdf5` is.
        length: Characters; shorter texts are padded with 0 on the left, and the GRU reads the padding too.

    Returns:
        A model from character ids [batch, length] to shares of the reactions [batch, 5], which sum to 1.
    """
    ids = keras.Input((length,), dtype="int32", name="input_ids")
    embedded = layers.Embedding(401, 100, name="embedding")(ids)
    x = layers.GRU(256, reset_after=False, recurrent_activation=hard_sigmoid, name="rnn")(embedded)
    x = layers.Dense(5, activation="relu", name="output")(x)
    model = keras.Model(ids, x / ops.sum(x, axis=-1, keepdims=True), name="reactionrnn")
    load_weights(model, folder / "reactionrnn_weights.hdf5")
    return model


def textgenrnn(weights: Path, length: int = 40) -> keras.Model:
    """A language model of characters.

    Args:
        weights: `textgenrnn_weights.hdf5`, or one fine-tuned from it.
        length: Characters; shorter texts are padded with 0 on the left.

    Returns:
        A model from character ids [batch, length] to probabilities of the next character [batch, 465].
    """
    ids = keras.Input((length,), dtype="int32", name="input_ids")
    embedded = layers.Embedding(465, 100, name="embedding")(ids)
    first = layers.LSTM(128, return_sequences=True, name="rnn_1")(embedded)
    second = layers.LSTM(128, return_sequences=True, name="rnn_2")(first)
    x = layers.Concatenate()([embedded, first, second])
    scores = layers.Dense(1, use_bias=False, name="attention")(x)
    x = ops.sum(x * ops.softmax(scores, axis=1), axis=1)
    model = keras.Model(ids, layers.Dense(465, activation="softmax", name="output")(x), name="textgenrnn")
    load_weights(model, weights)
    return model


def load_weights(model: keras.Model, path: Path) -> None:
    """Fills a model's layers from a Keras 2 weights file, each by its name.

    Raises:
        ValueError: A layer with weights is not in the file, or has other shapes there.
    """
    with h5py.File(path) as file:
        for layer in model.layers:
            if layer.weights:
                arrays = [np.asarray(file[name.decode()]) for name in _weight_names(file, layer.name, path)]
                layer.set_weights(from_cudnn(*arrays) if _is_cudnn(layer, arrays) else arrays)


def _weight_names(file: h5py.File, layer: str, path: Path) -> list[bytes]:
    if layer not in file:
        raise ValueError(f"Every layer must be in the weights file {path}. Received: {layer!r}, which is not.")
    return [f"{layer}/".encode() + name for name in file[layer].attrs["weight_names"]]


def _is_cudnn(layer: keras.Layer, arrays: list[np.ndarray]) -> bool:
    """Whether these are CuDNNLSTM's weights, which have a bias for the input and one for the state."""
    return isinstance(layer, layers.LSTM) and arrays[2].shape == (8 * layer.units,)


def from_cudnn(kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
    """CuDNNLSTM's weights as LSTM's.

    Args:
        kernel: [in, 4 * units], each gate's block in truth [units, in].
        recurrent: [units, 4 * units], each gate's block transposed.
        bias: [8 * units], of the input and of the state.

    Returns:
        Kernel, recurrent kernel and bias [4 * units], in Keras's layout; the gates' order is the same.
    """
    size, units = kernel.shape[0], recurrent.shape[0]
    kernels = [block.reshape(units, size).T for block in np.split(kernel, 4, axis=1)]
    recurrents = [block.T for block in np.split(recurrent, 4, axis=1)]
    return [np.concatenate(kernels, axis=1), np.concatenate(recurrents, axis=1), bias.reshape(2, -1).sum(axis=0)]


def character_tokenizer(vocabulary: Path) -> Tokenizer:
    """A tokenizer of single characters, which drops those that it does not know, as Keras 2's did.

    Args:
        vocabulary: A JSON file from character to id, 1 and up.
    """
    ids: dict[str, int] = json.loads(vocabulary.read_text(encoding="utf-8"))
    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, **ids}, "[PAD]"))
    known = "".join(rf"\x{{{ord(character):X}}}" for character in ids if len(character) == 1)
    tokenizer.normalizer = normalizers.Replace(Regex(f"[^{known}]"), "")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    return tokenizer


def main() -> None:
    """Makes the bundle of reactionrnn and asks it."""
    from kerasllm.export import export_bundle
    from kerasllm.serving import load

    folder, out = map(Path, sys.argv[1:])
    tokenizer = character_tokenizer(folder / "reactionrnn_vocab.json")
    export_bundle(
        reactionrnn(folder),
        out,
        tokenizer=tokenizer,
        labels=REACTIONS,
        activation="none",
        padding_side="left",
        variants=("fp32",),
    )
    print(load(out)("He was only 41.", top_k=None))


if __name__ == "__main__":
    main()

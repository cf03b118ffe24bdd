"""A text classifier: embedding, encoder, pooling, one score a class.

Plain Keras layers and `keras.ops` only, so that `model.keras` loads in safe mode with nothing of ours imported, and
every operation has an ONNX operator. Padding is on the right and is never seen: it changes no logit.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..checks import check_least, check_shares
from ..extras import require

# What padding scores: far below any real value, and still a number in half precision.
_NEVER = -1e4


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """The layers of the classifier."""

    encoder: Literal["mlp", "cnn", "rnn", "lstm", "gru", "bilstm"] = "lstm"
    """What reads the embedded tokens: mlp (each by itself), cnn (each with its neighbours) or a recurrent one."""
    embedding_dim: int = 32
    """Numbers a token is embedded in."""
    units: int = 128
    """Width of the encoder (of each direction, for bilstm)."""
    layers: int = 1
    """Encoder layers, one on the other."""
    kernel_size: int = 3
    """Tokens that a layer of cnn sees at once."""
    pooling: Literal["last", "mean", "max", "attention", "hard-attention"] | None = None
    """How tokens become one vector (default: last for recurrent encoders, max for cnn, mean for mlp)."""
    word_dropout: float = 0.0
    """Share of tokens hidden in training, 0 to 1."""
    embedding_dropout: float = 0.0
    """Share of embedding dimensions hidden in training, the same ones for a whole text, 0 to 1."""
    dropout: float = 0.3
    """Share of values hidden in training between encoder layers and before the output, 0 to 1."""
    l2: float = 0.0
    """Strength of the L2 penalty on the kernels."""
    vectors: Path | None = None
    """Initial embeddings: a word2vec (.txt, .vec, .bin) or GloVe file, also .gz."""
    freeze_vectors: bool = False
    """Keep the embeddings as they are at the start."""

    def __post_init__(self) -> None:
        check_least(self, 1, "embedding_dim", "units", "layers", "kernel_size")
        check_least(self, 0, "l2")
        check_shares(self, "word_dropout", "embedding_dropout", "dropout")


def build_classifier(
    config: ClassifierConfig, *, vocab_size: int, classes: int, vectors: np.ndarray | None = None
) -> Any:
    """Builds the classifier with fresh weights.

    Args:
        config: The layers.
        vocab_size: Token ids are below it.
        classes: Number of labels. Multi-label or not, the logits are made alike: a softmax goes over them, or a
            sigmoid over each.
        vectors: Initial embeddings, float32 [vocab_size, embedding_dim].

    Returns:
        A `keras.Model` from `input_ids` and `attention_mask` (1 token, 0 padding on the right), both int32
        [batch, sequence], to `logits`, float32 [batch, classes].
    """
    keras = require("train", "keras")
    input_ids = keras.Input((None,), dtype="int32", name="input_ids")
    attention_mask = keras.Input((None,), dtype="int32", name="attention_mask")
    tokens = keras.ops.cast(attention_mask, "bool")
    embedding = keras.layers.Embedding(vocab_size, config.embedding_dim, name="embedding")
    x = _encode(config, _hide(config, embedding(input_ids)), tokens)
    x = keras.layers.Dropout(config.dropout, name="dropout")(_pool(config, x, tokens))
    head = keras.layers.Dense(classes, kernel_regularizer=_penalty(config), dtype="float32", name="logits")
    if vectors is not None:
        embedding.set_weights([vectors])
    embedding.trainable = not config.freeze_vectors
    return keras.Model([input_ids, attention_mask], head(x), name="classifier")


def _hide(config: ClassifierConfig, x: Any) -> Any:
    """Hides whole words and whole embedding dimensions in training: [batch, sequence, embedding_dim] as it came."""
    from keras import layers

    if config.word_dropout:
        x = layers.Dropout(config.word_dropout, noise_shape=(None, None, 1), name="word_dropout")(x)
    if config.embedding_dropout:
        x = layers.SpatialDropout1D(config.embedding_dropout, name="embedding_dropout")(x)
    return x


def _encode(config: ClassifierConfig, x: Any, tokens: Any) -> Any:
    """[batch, sequence, embedding_dim] -> [batch, sequence, width], or [batch, width] where pooling takes the last."""
    from keras import layers

    for index in range(config.layers):
        top = index == config.layers - 1
        layer = _encoder_layer(config, f"{config.encoder}_{index}", top)
        if config.encoder == "mlp":
            x = layer(x)
        elif config.encoder == "cnn":
            x = layer(_silence(x, tokens))  # so padding is the zeros that lie beyond any text's end
        else:
            x = layer(x, mask=tokens)
        if not top:
            x = layers.Dropout(config.dropout, name=f"dropout_{index}")(x)
    return x


def _encoder_layer(config: ClassifierConfig, name: str, top: bool) -> Any:
    from keras import layers

    options = {"name": name, "kernel_regularizer": _penalty(config)}
    if config.encoder == "mlp":
        return layers.Dense(config.units, activation="relu", **options)
    if config.encoder == "cnn":
        return layers.Conv1D(config.units, config.kernel_size, padding="same", activation="relu", **options)
    options["return_sequences"] = not top or _pooling(config) != "last"
    if config.encoder == "bilstm":
        return layers.Bidirectional(layers.LSTM(config.units, **options), name=name)
    recurrent = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
    return recurrent[config.encoder](config.units, **options)


def _pool(config: ClassifierConfig, x: Any, tokens: Any) -> Any:
    """[batch, sequence, width] -> [batch, width]; a text without tokens becomes zeros."""
    from keras import ops

    pooling = _pooling(config)
    if pooling == "last" and len(x.shape) == 2:
        return x  # a recurrent encoder's last state
    x = _silence(x, tokens)
    here = ops.expand_dims(ops.cast(tokens, x.dtype), -1)  # [batch, sequence, 1]
    if pooling == "last":
        following = ops.pad(here[:, 1:], [[0, 0], [0, 1], [0, 0]])
        return ops.sum(x * (here - following), axis=1)
    if pooling == "mean":
        return ops.sum(x, axis=1) / ops.maximum(ops.sum(here, axis=1), 1)
    if pooling == "max":
        return ops.max(ops.where(here > 0, x, _NEVER), axis=1) * ops.max(here, axis=1)
    return ops.sum(x * _attention(x, here, hard=pooling == "hard-attention"), axis=1)


def _attention(x: Any, here: Any, *, hard: bool) -> Any:
    """How much each token counts, [batch, sequence, 1], summing to 1 over a text.

    Soft: additive self-attention (Yang et al. 2016, Hierarchical Attention Networks). Hard: all the weight on the
    highest score; the gradient is that of the soft weights (straight-through, Bengio et al. 2013).
    """
    from keras import layers, ops

    hidden = layers.Dense(x.shape[-1], activation="tanh", name="attention_hidden")(x)
    scores = layers.Dense(1, use_bias=False, name="attention_score")(hidden)
    scores = ops.where(here > 0, scores, _NEVER)
    soft = ops.softmax(scores, axis=1)
    if not hard:
        return soft
    highest = ops.cast(ops.equal(scores, ops.max(scores, axis=1, keepdims=True)), x.dtype)
    highest = highest / ops.sum(highest, axis=1, keepdims=True)  # equal scores share
    return highest + (soft - ops.stop_gradient(soft))


def _pooling(config: ClassifierConfig) -> str:
    return config.pooling or {"mlp": "mean", "cnn": "max"}.get(config.encoder, "last")


def _silence(x: Any, tokens: Any) -> Any:
    """Zeros at padding: [batch, sequence, width] as it came."""
    from keras import ops

    return x * ops.expand_dims(ops.cast(tokens, x.dtype), -1)


def _penalty(config: ClassifierConfig) -> Any:
    from keras import regularizers

    return regularizers.L2(config.l2) if config.l2 else None

"""Fill-mask: an encoder that says which token stands at each place, and its training by masking tokens.

Source: BERT (Devlin et al. 2019), masking drawn anew each epoch as in RoBERTa (Liu et al. 2019), logits computed at the
masked places alone in training, the output matrix tied to the input embeddings (Press and Wolf 2017).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from ..encoder import Encoder

_TRANSFORM, _NORM, _BIAS = "mask_transform", "mask_norm", "mask_bias"  # the head's layers
_EMBEDDING = "token_embedding"  # the encoder's layer that the head shares


def masked_model(encoder: "Encoder") -> "keras.Model":
    """An encoder with the logits of every token of the vocabulary at every place, its head fresh.

    Args:
        encoder: What reads the text.

    Returns:
        A model from the encoder's inputs, int32 [batch, sequence], to "logits" [batch, sequence, vocab].
    """
    import keras

    inputs, backbone = encoder.inputs(), encoder.backbone()
    states = encoder.hidden_state(backbone, inputs)
    embedding = encoder.token_embedding(backbone)
    normal = keras.initializers.TruncatedNormal(stddev=0.02)  # as the encoder's own layers
    head = [
        keras.layers.Dense(embedding.output_dim, activation="gelu", kernel_initializer=normal, name=_TRANSFORM),
        keras.layers.LayerNormalization(epsilon=1e-12, name=_NORM),
        embedding,
        # Keras has no layer of a bias alone: this one multiplies it by one.
        keras.layers.Dense(embedding.input_dim, use_bias=False, kernel_initializer="zeros", name=_BIAS),
    ]
    return keras.Model(inputs, _logits(states, *head), name="masked_language_model")


def at_positions(model: "keras.Model") -> "keras.Model":
    """A `masked_model` that computes logits only where it is asked to: the same weights in the same order.

    Args:
        model: What `masked_model` made, loaded from a file or not.

    Returns:
        A model with one more input, "masked_positions", int32 [batch, positions], and "logits"
        [batch, positions, vocab]: at 15 % of the places that is a seventh of the work.
    """
    import keras
    from keras import ops

    head = [model.get_layer(name) for name in (_TRANSFORM, _NORM, _EMBEDDING, _BIAS)]
    positions = keras.Input((None,), dtype="int32", name="masked_positions")
    states = ops.take_along_axis(head[0].input, ops.expand_dims(positions, -1), axis=1)
    inputs = {tensor.name: tensor for tensor in model.inputs}
    return keras.Model({**inputs, "masked_positions": positions}, _logits(states, *head), name=model.name)


def _logits(states: Any, transform: Any, norm: Any, embedding: Any, bias: Any) -> Any:
    """States [batch, places, hidden] -> logits [batch, places, vocab]."""
    from keras import ops

    states = norm(transform(states))
    return embedding(states, reverse=True) + bias(ops.ones_like(states[:, :1, :1]))

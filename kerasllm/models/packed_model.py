"""A decoder in training: the same layers and weights, on rows in which several texts stand side by side."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def packed_model(model: "keras.Model", length: int) -> "keras.Model":
    """A decoder whose attention stays inside a segment.

    Args:
        model: What `kerasllm.models.causal_models.build_causal_lm` made: its layers are shared, not copied.
        length: Tokens of a row; a shape that is known is compiled once.

    Returns:
        A model with the same weights in the same order, from a dict of "token_ids", "segments" and "positions", int32
        [batch, length], to logits [batch, length, vocab_size]. Tokens of a segment see those of it before them;
        segment 0 is padding. Rotary positions are relative, so only learned ones ask for "positions".
    """
    import keras
    from keras import ops

    names = ("token_ids", "segments", "positions")
    inputs = {name: keras.Input((length,), dtype="int32", name=name) for name in names}
    segments, backbone = inputs["segments"], model.backbone
    together = ops.equal(ops.expand_dims(segments, 1), ops.expand_dims(segments, 2))
    states = backbone.token_embedding(inputs["token_ids"])
    if hasattr(backbone, "position_embedding"):
        places = backbone.position_embedding(states, positions=inputs["positions"])
        states = backbone.embeddings_dropout(backbone.embeddings_add((states, places)))
    for layer in backbone.transformer_layers:
        states = layer(states, decoder_attention_mask=together)
    states = backbone.layer_norm(states)
    return keras.Model(inputs, backbone.token_embedding(states, reverse=True), name=model.name)


def training_flops(shape: Any, length: int) -> float:
    """Floating-point operations that a token takes in training, forward and backward.

    Source: "PaLM: Scaling Language Modeling with Pathways", Chowdhery et al. 2022, appendix B: 6 a weight that is
    multiplied with, the output matrix among them, and 12 a layer, head, head size and token of context. What masks
    leave out is counted too, as there.

    Args:
        shape: The decoder's numbers, a `DecoderShape`.
        length: Tokens of a row.
    """
    width = shape.heads * shape.head_size
    attention = shape.hidden * (2 * width + 2 * shape.kv_heads * shape.head_size)
    feedforward = shape.hidden * shape.intermediate * (2 if shape.architecture == "gpt2" else 3)
    weights = shape.layers * (attention + feedforward) + shape.vocab_size * shape.hidden
    return 6.0 * weights + 12.0 * shape.layers * width * length

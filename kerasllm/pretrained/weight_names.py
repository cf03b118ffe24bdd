"""What Hugging Face calls the weights of an encoder, and of what shape they are there."""

from ..models.backbones import FACTORISED, SEGMENTED, BackboneConfig

_EMBEDDINGS = {
    "token_embedding": "embeddings.word_embeddings",
    "position_embedding": "embeddings.position_embeddings",
    "segment_embedding": "embeddings.token_type_embeddings",
    "embeddings_layer_norm": "embeddings.LayerNorm",
}
_PROJECTION = {"albert": "encoder.embedding_hidden_mapping_in", "electra": "embeddings_project"}

# A layer's parts as KerasHub names them, to Hugging Face's names.
_BERT = {
    "self_attention_layer/query": "attention.self.query",
    "self_attention_layer/key": "attention.self.key",
    "self_attention_layer/value": "attention.self.value",
    "self_attention_layer/attention_output": "attention.output.dense",
    "self_attention_layer_norm": "attention.output.LayerNorm",
    "feedforward_intermediate_dense": "intermediate.dense",
    "feedforward_output_dense": "output.dense",
    "feedforward_layer_norm": "output.LayerNorm",
}
_DISTILBERT = {
    "self_attention_layer/query": "attention.q_lin",
    "self_attention_layer/key": "attention.k_lin",
    "self_attention_layer/value": "attention.v_lin",
    "self_attention_layer/attention_output": "attention.out_lin",
    "self_attention_layer_norm": "sa_layer_norm",
    "feedforward_intermediate_dense": "ffn.lin1",
    "feedforward_output_dense": "ffn.lin2",
    "feedforward_layer_norm": "output_layer_norm",
}
_ALBERT = {
    "self_attention_layer/query": "attention.query",
    "self_attention_layer/key": "attention.key",
    "self_attention_layer/value": "attention.value",
    "self_attention_layer/attention_output": "attention.dense",
    "self_attention_layer_norm": "attention.LayerNorm",
    "feedforward_intermediate_dense": "ffn",
    "feedforward_output_dense": "ffn_output",
    "feedforward_layer_norm": "full_layer_layer_norm",
}
_LAYER = {"albert": _ALBERT, "distilbert": _DISTILBERT}


def tensor_name(architecture: str, path: str) -> str:
    """The tensor that a Keras variable comes from.

    Args:
        architecture: "bert", "distilbert", "roberta", "albert" or "electra".
        path: The variable's path, as "transformer_layer_0/self_attention_layer/query/kernel".

    Returns:
        The tensor's name without the architecture's prefix, as "encoder.layer.0.attention.self.query.weight".
    """
    *layers, last = path.split("/")
    ending = "bias" if last in ("beta", "bias") else "weight"
    if layers[-1] in _EMBEDDINGS:
        return f"{_EMBEDDINGS[layers[-1]]}.{ending}"
    if layers[-1].endswith("_projection"):
        return f"{_PROJECTION[architecture]}.{ending}"
    number = next(part for part in layers[0].split("_") if part.isdigit())  # of the layer, or of albert's group
    part = _LAYER.get(architecture, _BERT)["/".join(layers[1:])]
    return f"{_layer(architecture, number)}.{part}.{ending}"


def tensor_shapes(config: BackboneConfig, position_rows: int) -> dict[str, tuple[int, ...]]:
    """Every tensor that an encoder must have, and its shape; a matrix is [out, in].

    Args:
        config: The encoder.
        position_rows: Rows of its table of positions, which can be more than its positions.
    """
    architecture, hidden, inner = config.architecture, config.hidden, config.intermediate
    word, position, segment, norm = _EMBEDDINGS.values()
    shapes: dict[str, tuple[int, ...]] = {
        f"{word}.weight": (config.vocab_size, config.embedding),
        f"{position}.weight": (position_rows, config.embedding),
        **_vectors(norm, config.embedding),
    }
    if architecture in (*SEGMENTED, "roberta"):
        shapes[f"{segment}.weight"] = (config.segments, config.embedding)
    if architecture == "albert" or (architecture in FACTORISED and config.embedding != hidden):
        shapes |= _dense(_PROJECTION[architecture], config.embedding, hidden)
    widths = {"feedforward_intermediate_dense": (hidden, inner), "feedforward_output_dense": (inner, hidden)}
    for number in range(config.groups if architecture == "albert" else config.layers):
        for part, name in _LAYER.get(architecture, _BERT).items():
            name = f"{_layer(architecture, str(number))}.{name}"
            shapes |= (
                _vectors(name, hidden) if part.endswith("norm") else _dense(name, *widths.get(part, (hidden, hidden)))
            )
    return shapes


def _layer(architecture: str, number: str) -> str:
    if architecture == "albert":
        return f"encoder.albert_layer_groups.{number}.albert_layers.0"
    return f"{'transformer' if architecture == 'distilbert' else 'encoder'}.layer.{number}"


def _vectors(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _dense(name: str, width: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, width), f"{name}.bias": (out,)}

"""What Hugging Face calls the weights of an encoder: for each Keras variable, the name of the tensor it comes from."""

# The last part of a Keras path to the last part of a tensor's name.
_LAST = {"kernel": "weight", "embeddings": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}

_EMBEDDINGS = {
    "token_embedding": "embeddings.word_embeddings",
    "position_embedding": "embeddings.position_embeddings",
    "segment_embedding": "embeddings.token_type_embeddings",
    "embeddings_layer_norm": "embeddings.LayerNorm",
}
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
_PROJECTIONS = {
    "embedding_projection": "encoder.embedding_hidden_mapping_in",  # albert
    "embeddings_projection": "embeddings_project",  # electra
}


def tensor_name(architecture: str, path: str) -> str:
    """The name of a tensor, without the architecture's prefix ("bert.").

    Args:
        architecture: "bert", "distilbert", "roberta", "albert" or "electra".
        path: A Keras variable's path, as "transformer_layer_0/self_attention_layer/query/kernel".

    Returns:
        Its name, as "encoder.layer.0.attention.self.query.weight".
    """
    *layers, last = path.split("/")
    if layers[-1] in _EMBEDDINGS:
        return f"{_EMBEDDINGS[layers[-1]]}.{_LAST.get(last, 'weight')}"
    if layers[0] in _PROJECTIONS:
        return f"{_PROJECTIONS[layers[0]]}.{_LAST[last]}"
    number = [part for part in layers[0].split("_") if part.isdigit()]
    part = "/".join(layers[1:])
    if architecture == "albert":
        return f"encoder.albert_layer_groups.{number[0]}.albert_layers.{number[1]}.{_ALBERT[part]}.{_LAST[last]}"
    if architecture == "distilbert":
        return f"transformer.layer.{number[0]}.{_DISTILBERT[part]}.{_LAST[last]}"
    return f"encoder.layer.{number[0]}.{_BERT[part]}.{_LAST[last]}"

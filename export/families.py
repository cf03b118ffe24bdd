"""The encoder inside a model, as Hugging Face's config.json describes one: its family and its sizes."""

from typing import Any

from .interface import id_embeddings, positions
from .signature import Signature

# The name of a family to the first part of its classes' names.
_CLASSES = {
    "bert": "Bert",
    "distilbert": "DistilBert",
    "roberta": "Roberta",
    "albert": "Albert",
    "electra": "Electra",
}


def encoder_config(function: Any, signature: Signature) -> dict[str, Any]:
    """Family and sizes of a model.

    Other programs choose how to feed a graph by `model_type`. A model without a transformer, such as an LSTM, goes by
    "distilbert", which stands for input_ids and attention_mask in, whatever the layers are.

    Args:
        function: The model's functional graph.
        signature: How the model is called.

    Returns:
        "model_type", "architectures" and the sizes, by the names that Hugging Face gives them for this family.
    """
    calls = _encoder_calls(function)
    family = _family(calls, signature.pad_token_id)
    sizes = _sizes(function, calls, signature) if calls else _placeholders(function, signature)
    own = {"distilbert": _distilbert, "roberta": _roberta, "albert": _albert}
    config = own[family](sizes, calls) if family in own else sizes
    return {"model_type": family, "architectures": [_CLASSES[family] + signature.form.architecture], **config}


def _encoder_calls(function: Any) -> list[Any]:
    """The operations of the graph that holds the transformer layers, one a call; none where there is no such graph."""
    for model in [function, *function._flatten_layers(include_self=False)]:
        depths = getattr(model, "_nodes_by_depth", {}).values()
        calls = [node.operation for nodes in depths for node in nodes]
        if any(map(_is_transformer, calls)):
            return calls
    return []


def _is_transformer(operation: Any) -> bool:
    return type(operation).__name__ == "TransformerEncoder"


def _family(calls: list[Any], pad_token_id: int) -> str:
    """By the embeddings, whose layers KerasHub names; an ELECTRA without a projection computes what a BERT does.

    RoBERTa and DistilBERT are alike but for their vocabularies: RoBERTa's begins with <s> and <pad>.
    """
    names = {operation.name for operation in calls}
    if "embedding_projection" in names:
        return "albert"
    if "embeddings_projection" in names:
        return "electra"
    if "segment_embedding" in names:
        return "bert"
    return "roberta" if "embeddings" in names or pad_token_id == 1 else "distilbert"


def _placeholders(function: Any, signature: Signature) -> dict[str, Any]:
    """The sizes of a model without a transformer, as far as they have a meaning."""
    width = max((layer.units for layer in function._flatten_layers() if hasattr(layer, "units")), default=1)
    return {
        "vocab_size": signature.vocab_size,
        "pad_token_id": signature.pad_token_id,
        "max_position_embeddings": signature.max_length,
        "hidden_size": width,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
    }


def _sizes(function: Any, calls: list[Any], signature: Signature) -> dict[str, Any]:
    """The sizes as BERT names them."""
    layers = [operation for operation in calls if _is_transformer(operation)]
    first, tables = layers[0], id_embeddings(function)
    hidden = first._feedforward_output_dense.units
    segments = [operation.input_dim for operation in calls if operation.name == "segment_embedding"]
    return {
        "vocab_size": tables[0].input_dim if tables else signature.vocab_size,
        "pad_token_id": signature.pad_token_id,
        "max_position_embeddings": positions(function) or signature.max_length,
        "type_vocab_size": segments[0] if segments else 1,
        "embedding_size": tables[0].output_dim if tables else hidden,
        "hidden_size": hidden,
        "num_hidden_layers": len(layers),
        "num_attention_heads": first.num_heads,
        "intermediate_size": first.intermediate_dim,
        "hidden_act": _activation(first.activation),
        "hidden_dropout_prob": float(first.dropout),
        "attention_probs_dropout_prob": float(first.dropout),
        "layer_norm_eps": first.layer_norm_epsilon,
        "position_embedding_type": "absolute",
    }


def _activation(function: Any) -> str:
    """Hugging Face's name of an activation; its "gelu_new" is GELU by tanh."""
    name = getattr(function, "__name__", type(function).__name__.lower())
    return "gelu_new" if name == "gelu_approximate" else name


def _distilbert(sizes: dict[str, Any], _: list[Any]) -> dict[str, Any]:
    """DistilBERT's own names beside the common ones, which other programs ask for."""
    own = {
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
        "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout",
    }
    return sizes | {own[name]: value for name, value in sizes.items() if name in own}


def _roberta(sizes: dict[str, Any], _: list[Any]) -> dict[str, Any]:
    """Hugging Face counts a RoBERTa's positions from behind the padding id, and so as many more rows."""
    return {**sizes, "max_position_embeddings": sizes["max_position_embeddings"] + sizes["pad_token_id"] + 1}


def _albert(sizes: dict[str, Any], calls: list[Any]) -> dict[str, Any]:
    """ALBERT's layers share their weights in groups, named "group_0_inner_layer_0"."""
    names = {operation.name for operation in calls if _is_transformer(operation)}
    groups = {name.split("_inner_layer_")[0] for name in names}
    return {**sizes, "num_hidden_groups": len(groups), "inner_group_num": len(names) // len(groups)}

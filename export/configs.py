"""The files that other programs read: config.json, and what sentence-transformers wants beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

from .. import __version__
from .families import encoder_config
from .signature import Signature


def model_config(function: Any, signature: Signature, labels: Sequence[str], *, multi_label: bool) -> dict[str, Any]:
    """The config.json in Hugging Face's form.

    Args:
        function: The model's functional graph.
        signature: How the model is called.
        labels: Names of the classes, where there are any.
        multi_label: Whether a text can have several labels.
    """
    config = encoder_config(function, signature)
    if signature.task == "text-classification":
        config["problem_type"] = "multi_label_classification" if multi_label else "single_label_classification"
    if labels:
        config["num_labels"] = len(labels)
        config["id2label"] = {str(index): label for index, label in enumerate(labels)}
        config["label2id"] = {label: index for index, label in enumerate(labels)}
    return config


def sentence_files(settings: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
    """The files by which sentence-transformers knows how token vectors become a text's vector.

    Args:
        settings: The task's settings: "pooling" ("mean" or "cls"), "normalize" and "dimensions".
        signature: How the model is called.

    Returns:
        Path in the bundle to the JSON document.
    """
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modules += [("2_Normalize", "Normalize")] if settings["normalize"] else []
    return {
        "modules.json": [
            {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for index, (path, kind) in enumerate(modules)
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": settings["dimensions"],
            "pooling_mode_cls_token": settings["pooling"] == "cls",
            "pooling_mode_mean_tokens": settings["pooling"] == "mean",
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "sentence_bert_config.json": {"max_seq_length": signature.max_length, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "__version__": {"kerasllm": __version__},
            "prompts": {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }

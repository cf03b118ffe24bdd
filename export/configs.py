"""The files that other programs read: Hugging Face's config.json, tokenizer_config.json, special_tokens_map.json."""

from collections.abc import Sequence
from typing import Any

import tokenizers

from ..tokenizer import pad_id, unk_id
from .signature import Signature

# Special tokens beside padding and the unknown one, and the names that Hugging Face knows their roles by.
_ROLES = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "bos_token": "<s>", "eos_token": "</s>"}


def classifier_config(signature: Signature, labels: Sequence[str], *, multi_label: bool, hidden: int) -> dict[str, Any]:
    """The config.json of a text classifier.

    Other programs choose how to feed a graph by `model_type`; "distilbert" stands for input_ids and attention_mask in,
    logits out, whatever the layers are. kerasllm.json names the real ones.

    Args:
        signature: How the model is called.
        labels: Names of the classes.
        multi_label: Whether a text can have several labels.
        hidden: Width of what the last layer reads.
    """
    names = {str(index): label for index, label in enumerate(labels)}
    return {
        "model_type": "distilbert",
        "architectures": ["DistilBertForSequenceClassification"],
        "vocab_size": signature.vocab_size,
        "pad_token_id": signature.pad_token_id,
        "max_position_embeddings": signature.max_length,
        "dim": hidden,
        "hidden_size": hidden,
        "n_layers": 1,
        "num_hidden_layers": 1,
        "n_heads": 1,
        "num_attention_heads": 1,
        "problem_type": "multi_label_classification" if multi_label else "single_label_classification",
        "num_labels": len(labels),
        "id2label": names,
        "label2id": {label: index for index, label in enumerate(labels)},
    }


def special_tokens(tokenizer: tokenizers.Tokenizer) -> dict[str, str]:
    """The special_tokens_map.json: each role that the tokenizer has a token for."""
    ids = {"pad_token": pad_id(tokenizer), "unk_token": unk_id(tokenizer)}
    ids |= {role: tokenizer.token_to_id(name) for role, name in _ROLES.items()}
    return {role: str(tokenizer.id_to_token(number)) for role, number in ids.items() if number is not None}


def tokenizer_config(tokenizer: tokenizers.Tokenizer, signature: Signature) -> dict[str, Any]:
    """The tokenizer_config.json: tokenizer.json read as it is, limits and padding as the model was trained with."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": signature.max_length,
        "model_input_names": list(signature.inputs),
        "padding_side": signature.padding_side,
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        **special_tokens(tokenizer),
    }

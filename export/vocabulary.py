"""What other programs must know of a tokenizer.json: tokenizer_config.json and special_tokens_map.json."""

import json
from typing import Any

import tokenizers

from ..tokenizing.tokenizer import pad_id, unk_id
from .signature import Signature

# Special tokens beside padding and the unknown one: the names that Hugging Face knows their roles by.
_ROLES = {
    "cls_token": ("[CLS]", "<s>"),
    "sep_token": ("[SEP]", "</s>"),
    "mask_token": ("[MASK]", "<mask>"),
    "bos_token": ("<s>",),
    "eos_token": ("</s>",),
}
# Family to the kind of tokenizer.json that its own class of tokenizer reads as it stands.
_CLASSES = {
    "bert": ("WordPiece", "BertTokenizer"),
    "distilbert": ("WordPiece", "DistilBertTokenizer"),
    "electra": ("WordPiece", "ElectraTokenizer"),
    "roberta": ("BPE", "RobertaTokenizer"),
    "xlm-roberta": ("Unigram", "XLMRobertaTokenizer"),
    "albert": ("Unigram", "AlbertTokenizer"),
}


def special_tokens(tokenizer: tokenizers.Tokenizer) -> dict[str, str]:
    """The special_tokens_map.json: each role that the tokenizer has a token for."""
    ids = {"pad_token": pad_id(tokenizer), "unk_token": unk_id(tokenizer)}
    for role, names in _ROLES.items():
        found = (tokenizer.token_to_id(name) for name in names)
        ids[role] = next((number for number in found if number is not None), None)
    return {role: str(tokenizer.id_to_token(number)) for role, number in ids.items() if number is not None}


def tokenizer_config(tokenizer: tokenizers.Tokenizer, signature: Signature, family: str) -> dict[str, Any]:
    """The tokenizer_config.json: tokenizer.json read as it is, limits and padding as the model was trained with.

    Args:
        tokenizer: The tokenizer.
        signature: How its model is called.
        family: The model_type of config.json.
    """
    return {
        **_own_class(tokenizer, family),
        "model_max_length": signature.max_length,
        "model_input_names": [
            role for role in ("input_ids", "token_type_ids", "attention_mask") if role in signature.inputs
        ],
        "padding_side": signature.padding_side,
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        **special_tokens(tokenizer),
    }


def _own_class(tokenizer: tokenizers.Tokenizer, family: str) -> dict[str, Any]:
    """The family's class, where tokenizer.json is of that class's own make: it knows segments; else the general one.

    A class of BERT's sets its own ideas of case and accents over the file's unless it is told the same.
    """
    form = json.loads(tokenizer.to_str())
    kind, name = _CLASSES.get(family, ("", ""))
    normalizer = form["normalizer"] or {}
    if form["model"]["type"] != kind or not form["post_processor"]:
        return {"tokenizer_class": "PreTrainedTokenizerFast"}
    if kind != "WordPiece":
        return {"tokenizer_class": name}
    if normalizer.get("type") != "BertNormalizer":
        return {"tokenizer_class": "PreTrainedTokenizerFast"}
    return {
        "tokenizer_class": name,
        "do_lower_case": normalizer["lowercase"],
        "strip_accents": normalizer["strip_accents"],
        "tokenize_chinese_chars": normalizer["handle_chinese_chars"],
    }

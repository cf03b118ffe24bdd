"""What the runtime must know of a decoder beside its graph: which tokens begin and end a text."""

from collections.abc import Mapping
from typing import Any

from tokenizers import Tokenizer

from ...tokenizing.tokenizer import vocab_size
from .reading import CausalParts

_ENDS = ("<|endoftext|>", "</s>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>")
_KEYS = ("eos_token_ids", "bos_token_id", "add_bos", "chat_template")


def generation_settings(
    given: Mapping[str, Any], tokenizer: Tokenizer, parts: CausalParts
) -> tuple[dict[str, Any], str | None]:
    """The settings in the manifest, and the template of dialogues, which is a file.

    Args:
        given: "eos_token_ids" (default: the tokens of those names that the tokenizer has), "bos_token_id", "add_bos"
            (whether it is put before a prompt), "chat_template" (a Jinja text).
        tokenizer: The tokenizer.
        parts: The decoder.

    Raises:
        ValueError: There is no such setting, or a token is outside the vocabulary.
    """
    unknown = set(given) - set(_KEYS)
    if unknown:
        raise ValueError(
            f"A setting of text-generation must be one of {', '.join(_KEYS)}. Received: {', '.join(sorted(unknown))}."
        )
    found = [number for name in _ENDS if (number := tokenizer.token_to_id(name)) is not None]
    ends, bos = list(given.get("eos_token_ids", found)), given.get("bos_token_id")
    outside = [number for number in [*ends, bos] if number is not None and not 0 <= number < parts.vocab_size]
    if outside or vocab_size(tokenizer) > parts.vocab_size:
        raise ValueError(
            f"Token ids must be below {parts.vocab_size}, the model's embeddings. Received: "
            f"{outside or f'a tokenizer of {vocab_size(tokenizer)}'}. Give the tokenizer of the model's training."
        )
    if given.get("add_bos") and bos is None:
        raise ValueError("A token put before prompts must be named. Received: add_bos without bos_token_id.")
    template = given.get("chat_template")
    settings = {"eos_token_ids": ends, "bos_token_id": bos, "add_bos": bool(given.get("add_bos"))}
    return settings | {"chat_template": bool(template)}, template

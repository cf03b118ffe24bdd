"""What is cleaned out of texts before anything else sees them."""

import html
import re
import unicodedata

# A tag, a comment or a doctype. A name must follow "<" at once, so that "a < b" and "<3" stay.
_TAG = re.compile(r"<!--.*?-->|</?[a-zA-Z][a-zA-Z0-9-]*(?:\s[^<>]*)?/?>|<![a-zA-Z][^<>]*>", re.DOTALL)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u2060\ufeff\ufffe\uffff]")  # not white space
_SPACE = re.compile(r"\s+")


def clean(text: str) -> str:
    """One text without remnants of HTML, control characters and needless white space, in Unicode NFC.

    Entities are resolved ("&amp;" is "&"), tags become a space (those that were written as entities too), invisible
    characters vanish, and every run of white space (tabs and line breaks too) becomes one space.

    Args:
        text: Any string.

    Returns:
        The cleaned text, perhaps empty.
    """
    if "&" in text:
        text = _ENTITY.sub(lambda match: html.unescape(match[0]), text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    text = _CONTROL.sub("", text)
    return unicodedata.normalize("NFC", _SPACE.sub(" ", text).strip())

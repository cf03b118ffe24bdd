"""Which forms of a model are written."""

from collections.abc import Collection, Sequence


def check_variants(variants: Sequence[str], known: Collection[str]) -> None:
    """Refuses variants that nobody can write.

    Raises:
        ValueError: None, one twice, or one that is not known.
    """
    if not variants or not all(name in known for name in variants) or len(set(variants)) != len(variants):
        raise ValueError(f"Variants must be distinct and among {list(known)}. Received: {list(variants)}.")

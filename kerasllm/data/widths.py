"""How wide a batch is: as wide as its longest row, or one of a few widths where each one is compiled anew."""

from ..extras import require

_LEAST = 16


def padded_width(longest: int, most: int, multiple: int | None) -> int:
    """The tokens that every row of a batch is filled up to.

    Args:
        longest: Tokens of the batch's longest row.
        most: Tokens of the longest row of all.
        multiple: Round up to a multiple of this; None: to `few_width` on JAX, which compiles every shape,
            elsewhere not at all.
    """
    if multiple is not None:
        return -(-max(longest, 1) // multiple) * multiple
    if require("train", "keras").backend.backend() != "jax":
        return max(longest, 1)
    return max(longest, min(few_width(longest), most), 1)


def few_width(longest: int) -> int:
    """The next of 16, 24, 32, 48, 64, 96, 128 ...: ten of them to 512, and at most half as much again, mostly less."""
    power = max(_LEAST, 1 << (longest - 1).bit_length())
    return power * 3 // 4 if power > _LEAST and longest <= power * 3 // 4 else power

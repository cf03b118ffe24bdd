"""What settings must be, said in one sentence where they are not."""

from typing import Any


def check_least(config: Any, least: int, *names: str) -> None:
    """Refuses settings that are smaller than `least`; None is not looked at.

    Raises:
        ValueError: One is.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None and value < least:
            raise ValueError(f"`{name}` must be at least {least}. Received: {value}.")


def check_shares(config: Any, *names: str) -> None:
    """Refuses settings that are no share, or one that leaves nothing; None is not looked at.

    Raises:
        ValueError: One is.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None and not 0 <= value < 1:
            raise ValueError(f"`{name}` must be from 0 to below 1. Received: {value}.")

"""Strings that end a text."""

from collections.abc import Sequence


class StopStrings:
    """Holds back what may be the start of a stop string, and cuts the text before one."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._starts = {stop[:length] for stop in stops for length in range(1, len(stop))}
        self._longest = max(map(len, stops), default=0)
        self._held = ""
        self.found = False

    def push(self, piece: str) -> str:
        """What of the text up to now can be given; empty after a stop string was found."""
        if not self._stops or not piece or self.found:
            return "" if self.found else piece
        text = self._held + piece
        places = [place for place in (text.find(stop) for stop in self._stops) if place >= 0]
        if places:
            self.found, self._held = True, ""
            return text[: min(places)]
        held = self._start_of_stop(text)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """What was held back, at the end of the text."""
        held, self._held = self._held, ""
        return held

    def _start_of_stop(self, text: str) -> int:
        """Length of the longest end of the text that a stop string starts with."""
        for length in range(min(len(text), self._longest - 1), 0, -1):
            if text[-length:] in self._starts:
                return length
        return 0

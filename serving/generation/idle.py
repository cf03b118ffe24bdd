"""Decode sessions that were left with their keys and values, for prompts that start alike."""

from collections.abc import Sequence
from threading import Lock

from .decoding import common
from .graph import DecoderGraph
from .session import DecodeSession

_MOST = 2


class IdleSessions:
    """The last few of them: as much memory as so many contexts, no more. Threads may share it."""

    def __init__(self, graph: DecoderGraph, most: int = _MOST) -> None:
        """Starts empty.

        Args:
            graph: The graph of all sessions.
            most: Most sessions to keep; the one unused for longest goes first.
        """
        self._graph = graph
        self._most = most
        self._sessions: list[DecodeSession] = []
        self._lock = Lock()

    def take(self, prompt: Sequence[int]) -> DecodeSession:
        """The session that holds most of a prompt's start, or a fresh one; it is the caller's until given back."""
        with self._lock:
            held = [common(session.ids[0], prompt) for session in self._sessions]
            if max(held, default=0):
                return self._sessions.pop(held.index(max(held)))
        return DecodeSession(self._graph)

    def give_back(self, session: DecodeSession) -> None:
        """Keeps a session."""
        with self._lock:
            self._sessions.append(session)
            del self._sessions[: -self._most]

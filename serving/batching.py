"""Run the graph on the rows of many callers together: dynamic batching without a clock."""

import time
from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import NamedTuple

import numpy as np

from .graph import BATCH_SIZE, Graph
from .rows import Row

# Rows run together if the shortest has at least this share of the longest one's tokens: more would be lost by padding
# than is won by a larger product.
_ALIKE = 0.75
# Most tokens of a run of several callers, padding counted, where the bundle sets no limit.
_MOST_TOKENS = 8192


class RunReport(NamedTuple):
    """What a run of the graph was, for metrics."""

    rows: int
    """Rows that ran together."""
    tokens: int
    """Their tokens, without padding."""
    waited: list[float]
    """Seconds that each of the calls waited for its turn."""
    seconds: float
    """Time of the run."""


class _Call:
    """The rows of a caller who waits."""

    def __init__(self, rows: Sequence[Row], names: tuple[str, ...]) -> None:
        self.rows = rows
        self.names = names
        lengths = [len(row.ids) for row in rows]
        self.shortest, self.longest, self.tokens = max(1, min(lengths)), max(1, *lengths), sum(lengths)
        self.came = time.perf_counter()
        self.turn = Event()  # the caller may go on: it has its values, or is the next to run the graph
        self.done = False
        self.values: dict[str, np.ndarray] = {}
        self.error: Exception | None = None


class BatchedGraph(Graph):
    """A graph for many threads at once, in the place of a `Graph`; it gives each the same values.

    A caller who finds the graph free runs it at once, in its own thread. The others wait; when a run ends, the one who
    waited for longest runs its rows, together with those of others that are about as long. So batches grow with the
    load, and nobody waits for company. The session's threads are shared by all runs; they should not spin.

    Values of a graph whose int8 scales span the whole batch depend on which rows run together: there each call runs by
    itself, as it would in process. A batch would be 1.4 times as fast (MiniLM of 16 tokens, two threads), and its
    vectors off by several percent.
    """

    def __init__(self, graph: Graph, *, runs: int = 2, observe: Callable[[RunReport], None] | None = None) -> None:
        """Takes the place of a graph.

        Args:
            graph: The graph; nobody else should run it now.
            runs: Most runs at once: two, so that the cores have work while results are handed over.
            observe: Told of every run, in the thread that ran it.
        """
        vars(self).update(vars(graph))
        self._observe = observe
        self._queue: list[_Call] = []  # in the order of their coming
        self._runs = runs
        self._running = 0
        self._lock = Lock()

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn now."""
        return len(self._queue)

    def run(self, rows: Sequence[Row], outputs: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """As `Graph.run`; waits while others run."""
        if not len(rows):
            return super().run(rows, outputs)  # which refuses
        call = _Call(rows, tuple(self.outputs if outputs is None else outputs))
        with self._lock:
            wait = self._running == self._runs
            if wait:
                self._queue.append(call)
            else:
                self._running += 1
        if wait:
            call.turn.wait()
        if not call.done:
            self._lead(call)
        if call.error is not None:
            raise call.error
        return call.values

    def _lead(self, call: _Call) -> None:
        """Runs the graph for a caller and for those who join it, then hands it on."""
        joined = [call]
        try:
            with self._lock:
                joined += self._company(call)
            self._run_together(joined)
        finally:
            with self._lock:
                following = self._queue.pop(0) if self._queue else None
                self._running -= following is None
            if following is not None:
                following.turn.set()
            for other in joined[1:]:
                if not other.done:  # the leader was interrupted
                    other.done, other.error = True, RuntimeError("The run of the graph was interrupted. Ask again.")
                other.turn.set()

    def _company(self, call: _Call) -> list[_Call]:
        """Takes from the queue those who run with a call."""
        joined: list[_Call] = []
        if not self.independent:
            return joined
        rows, shortest, longest = len(call.rows), call.shortest, call.longest
        most = self.batch_tokens or _MOST_TOKENS
        for other in list(self._queue):
            short, long = min(shortest, other.shortest), max(longest, other.longest)
            count = rows + len(other.rows)
            if other.names == call.names and short >= _ALIKE * long and count <= BATCH_SIZE and count * long <= most:
                rows, shortest, longest = count, short, long
                joined.append(other)
                self._queue.remove(other)
        return joined

    def _run_together(self, calls: Sequence[_Call]) -> None:
        """Gives every call its values or its error."""
        began = time.perf_counter()
        if len(calls) == 1:
            self._run_alone(calls[0])
        else:
            try:
                values = super().run([row for call in calls for row in call.rows], calls[0].names)
            except Exception:  # of one of them, perhaps: each meets its own
                for call in calls:
                    self._run_alone(call)
            else:
                self._divide(values, calls)
        if self._observe is not None:
            rows, tokens = sum(len(call.rows) for call in calls), sum(call.tokens for call in calls)
            waited = [began - call.came for call in calls]
            self._observe(RunReport(rows, tokens, waited, time.perf_counter() - began))

    def _run_alone(self, call: _Call) -> None:
        try:
            call.values = super().run(call.rows, call.names)
        except Exception as error:
            call.error = error
        call.done = True

    def _divide(self, values: dict[str, np.ndarray], calls: Sequence[_Call]) -> None:
        """To each call its rows, as long as they would be without the others."""
        start = 0
        for call in calls:
            own = {name: value[start : start + len(call.rows)] for name, value in values.items()}
            if self.preprocessing.padding == "longest":
                for name in self.per_token & own.keys():
                    length = own[name].shape[1]
                    right = self.preprocessing.padding_side == "right"
                    place = slice(0, call.longest) if right else slice(length - call.longest, length)
                    own[name] = own[name][:, place]
            call.values, call.done = own, True
            start += len(call.rows)

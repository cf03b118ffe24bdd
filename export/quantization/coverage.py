"""How much of a graph is quantized."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import onnx_ir as ir

Level = Literal["computed", "stored", "kept"]


@dataclass(frozen=True, kw_only=True)
class KindCoverage:
    """The nodes of one operator that hold a weight."""

    computed: int
    """Nodes that compute in int8."""
    stored: int
    """Nodes whose weights are stored as int8 and used as float32."""
    kept: int
    """Nodes left as they were: too small to gain, or of a form that has no int8 kernel."""
    bytes_before: int
    """Bytes of their constants in float32."""
    bytes_after: int
    """Bytes of their constants now."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The nodes of a graph that hold a weight, and what became of them."""

    quantized: int
    """Nodes that compute in int8 or store their weights in it."""
    total: int
    """All nodes that hold a weight."""
    bytes_before: int
    """Bytes of all constants of the graph in float32."""
    bytes_after: int
    """Bytes of all constants of the graph now."""
    kinds: dict[str, KindCoverage]
    """The same by operator, under the name that it had."""

    @property
    def fraction(self) -> float:
        """Share of the weight-holding nodes that are quantized, 0 to 1; 1 where there are none."""
        return self.quantized / self.total if self.total else 1.0


@dataclass
class Tally:
    """Counts the nodes of one operator as they are quantized. Shared constants count once."""

    levels: Counter[Level] = field(default_factory=Counter)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)

    def add(self, level: Level, before: Iterable[ir.Node], after: Iterable[ir.Node]) -> None:
        """Counts a node, by its form before and the nodes that stand for it now."""
        self.levels[level] += 1
        self.before |= _constant_bytes(before)
        self.after |= _constant_bytes(after)

    def coverage(self) -> KindCoverage:
        """The result."""
        counts = {level: self.levels[level] for level in ("computed", "stored", "kept")}
        return KindCoverage(**counts, bytes_before=sum(self.before.values()), bytes_after=sum(self.after.values()))


def initializer_bytes(graph: ir.Graph) -> int:
    """Bytes of all constants of a graph."""
    return sum(value.const_value.nbytes for value in graph.initializers.values() if value.const_value is not None)


def _constant_bytes(nodes: Iterable[ir.Node]) -> dict[str, int]:
    values = [value for node in nodes for value in node.inputs if value is not None]
    return {value.name or "": value.const_value.nbytes for value in values if value.const_value is not None}

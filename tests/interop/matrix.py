"""The cells of consumers and bundles: asked once, and shown as a table."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from .cases import CASES, NEW_TOKENS, answers, until_end
from .consumers import CONSUMERS

# Cells that are not equal, and why.
EXPLAINED: dict[tuple[str, str, str], str] = {}


class Matrix:
    """What every consumer answers; bundles are made, and programs run, when they are first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.outcomes: dict[tuple[str, str, str], str | None] = {}
        """Of each cell, how its answers differ; None: they are equal."""
        self._asked: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}

    def cell(self, consumer: str, case: str, variant: str) -> tuple[list[Any], dict[str, Any]]:
        """What is expected, and what the consumer says: {"answers"} or {"error"}. Skips what cannot be had."""
        reason = CONSUMERS[consumer].missing()
        if reason:
            pytest.skip(f"{consumer}: {reason}")
        bundle = self.bundle(case)
        if consumer not in self._asked:
            self._asked[consumer] = self._ask(consumer)
        found = self._asked[consumer][case, variant]
        if "answers" in found and CASES[case].task == "text-generation":
            found = {"answers": [until_end(ids, bundle) for ids in found["answers"]]}
        return answers(CASES[case], bundle, variant, raw=CONSUMERS[consumer].raw), found

    def bundle(self, case: str) -> Path:
        """The bundle of a case; skips where it cannot be made."""
        if case not in self._bundles:
            pytest.skip(f"{case}: {CASES[case].source} is not there")
        return self.root / case

    @cached_property
    def _bundles(self) -> list[str]:
        """The cases whose bundles can be made here, each now in a folder of its name."""
        found = [case for case in CASES.values() if case.source is None or case.source.exists()]
        for case in found:
            case.make(self.root / case.name)
        return [case.name for case in found]

    def _ask(self, consumer: str) -> dict[tuple[str, str], dict[str, Any]]:
        about = CONSUMERS[consumer]
        cases = [CASES[name] for name in self._bundles]
        cells = [(case, variant) for case in cases for variant in about.variants_of(case)]
        jobs = [
            {
                "bundle": case.name,
                "task": case.task,
                "variant": variant,
                "inputs": case.inputs,
                "new_tokens": NEW_TOKENS,
            }
            for case, variant in cells
        ]
        found = about.ask(self.root, jobs)
        return {(case.name, variant): each for (case, variant), each in zip(cells, found, strict=True)}

    def table(self) -> Sequence[str]:
        """In Markdown: a row a consumer, a column a case; what differs is explained below."""
        lines = [f"| | {' | '.join(CASES)} |", f"|---|{'---|' * len(CASES)}"]
        for consumer in CONSUMERS:
            cells = [self._cell_text(consumer, case) for case in CASES]
            lines.append(f"| {consumer} | {' | '.join(cells)} |")
        notes = [f"- {', '.join(cell)}: {why}" for cell, why in EXPLAINED.items()]
        return [*lines, "", *notes]

    def _cell_text(self, consumer: str, case: str) -> str:
        told = {variant: self.outcomes.get((consumer, case, variant), "") for variant in CASES[case].variants}
        equal = [variant for variant, difference in told.items() if difference is None]
        differing = [f"not {variant}" for variant, difference in told.items() if difference]
        return ", ".join([*equal, *differing])

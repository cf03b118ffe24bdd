"""Every consumer that is installed opens every bundle that it has a task for, and answers as kerasllm does."""

from typing import Any

import pytest

from .cases import CASES
from .consumers import CONSUMERS
from .matrix import EXPLAINED, Matrix

CELLS = [
    (consumer, case.name, variant)
    for consumer, about in CONSUMERS.items()
    for case in CASES.values()
    for variant in about.variants_of(case)
]


def difference(expected: Any, found: Any) -> str | None:
    """Where two answers differ: numbers by more than a thousandth, everything else at all."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        pairs = [(expected[name], found[name]) for name in expected]
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = list(zip(expected, found, strict=True))
    elif isinstance(expected, float) and isinstance(found, (int, float)):
        return None if abs(expected - found) <= 1e-3 else f"{expected} and {found}"
    else:
        return None if expected == found else f"{expected!r:.200} and {found!r:.200}"
    return next((told for told in (difference(*pair) for pair in pairs) if told), None)


@pytest.mark.parametrize(("consumer", "case", "variant"), CELLS)
def test_it_answers_as_kerasllm_does(matrix: Matrix, consumer: str, case: str, variant: str):
    expected, found = matrix.cell(consumer, case, variant)
    told = found.get("error") or difference(expected, found["answers"])
    matrix.outcomes[consumer, case, variant] = told
    if told and (consumer, case, variant) in EXPLAINED:
        pytest.xfail(EXPLAINED[consumer, case, variant])
    assert told is None
    assert (consumer, case, variant) not in EXPLAINED, "it is equal now: take its explanation away"

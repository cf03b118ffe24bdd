"""Whatever fits the description of the paths, or nearly does, is answered without a 5xx."""

import contextlib

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
EXAMPLES = 8  # of each path and mode; a run with 300 was made, too


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_no_request_is_answered_with_5xx(server, mode):
    answered = 0
    for result in schemathesis.openapi.from_url(f"{server.address}/openapi.json").get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            database=None,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            nonlocal answered
            response = case.call(timeout=20)
            assert response.status_code < 500, (
                f"{case.method} {case.path}: {response.status_code} {response.text[:200]}"
            )
            answered += 1

        with contextlib.suppress(Unsatisfiable):  # a path without parameters cannot be asked wrongly
            ask()
    assert answered > 50

"""Settings out of range are named; None is a default that is found later."""

from types import SimpleNamespace

import pytest

from kerasllm.checks import check_least, check_shares


def test_the_first_that_is_too_small_is_named():
    config = SimpleNamespace(layers=2, units=0, size=None)
    check_least(config, 0, "layers", "units", "size")
    with pytest.raises(ValueError, match=r"`units` must be at least 1\. Received: 0\."):
        check_least(config, 1, "layers", "units", "size")


@pytest.mark.parametrize("share", [-0.1, 1, 2, float("nan")])
def test_a_share_leaves_something(share):
    config = SimpleNamespace(dropout=share, hide=0.0, other=None)
    check_shares(config, "hide", "other")
    with pytest.raises(ValueError, match="`dropout` must be from 0 to below 1"):
        check_shares(config, "hide", "dropout")

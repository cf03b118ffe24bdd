import pytest

from kerasllm.serving.http.settings import ServerSettings


@pytest.mark.parametrize(
    "change",
    [{"queue": 0}, {"slots": -1}, {"request_seconds": 0}, {"port": 70_000}, {"rate": 0}, {"reload_seconds": -1}],
)
def test_settings_out_of_range_are_refused_by_name(change):
    with pytest.raises(ValueError, match=f"{next(iter(change))} must be .* Received: "):
        ServerSettings(**change)

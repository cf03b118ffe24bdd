"""Stop strings are found wherever pieces are cut, and nothing is held back for good."""

from hypothesis import given
from hypothesis import strategies as st

from kerasllm.serving.generation.stopping import StopStrings

SHORT = st.text("ab", min_size=1, max_size=4)


@given(st.lists(st.text("abc", max_size=5), max_size=20), SHORT)
def test_one_stop_string_cuts_as_on_the_whole_text(pieces, stop):
    stopping = StopStrings([stop])
    given_out = [stopping.push(piece) for piece in pieces] + [stopping.flush()]
    assert "".join(given_out) == "".join(pieces).split(stop)[0]
    assert stopping.found == (stop in "".join(pieces))


@given(st.text("ab", max_size=30), st.lists(SHORT, min_size=1, max_size=4))
def test_characters_that_come_one_by_one_never_show_a_stop_string(text, stops):
    stopping, shown = StopStrings(stops), ""
    for end, character in enumerate(text, 1):
        shown += stopping.push(character)
        assert text.startswith(shown)
        assert not any(stop in shown for stop in stops)
        held = "" if stopping.found else text[len(shown) : end]
        assert not held or any(stop.startswith(held) for stop in stops)
    assert stopping.found == any(stop in text for stop in stops)


def test_without_stop_strings_nothing_is_held():
    stopping = StopStrings([])
    assert [stopping.push("a"), stopping.push(""), stopping.flush(), stopping.found] == ["a", "", "", False]

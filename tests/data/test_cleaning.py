import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data.cleaning import clean


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("A film<br /><br/>to see", "A film to see"),
        ("<p class='a'>so</p><b>good</b>", "so good"),
        ("<!-- hidden -->seen <!DOCTYPE html>", "seen"),
        ("one&lt;br /&gt;two &#x3c;b>", "one two"),
        ("Tom &amp; Jerry&#39;s &quot;best&quot; &eacute;", 'Tom & Jerry\'s "best" é'),
        ("AT&T; 3 < 4 and 5 > 4 <3", "AT&T; 3 < 4 and 5 > 4 <3"),
        ("tab\there\r\nand\u2028there\u00a0now", "tab here and there now"),
        ("nul\x00l \x1b[0m be\u200bfore\ufeff", "null [0m before"),
        ("cafe\u0301", "caf\u00e9"),
        ("family 👨\u200d👩\u200d👧 stays joined", "family 👨\u200d👩\u200d👧 stays joined"),
        ("  \n ", ""),
    ],
)
def test_what_goes_and_what_stays(raw, cleaned):
    assert clean(raw) == cleaned


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.text(st.one_of(st.characters(), st.sampled_from("<>/ \t\n\x00")), max_size=40))
def test_the_result_is_tidy_and_stable(text):
    once = clean(text)
    assert once == once.strip()
    assert "  " not in once
    assert "\x00" not in once
    assert unicodedata.is_normalized("NFC", once)
    if "&" not in text and "<" not in text:
        assert clean(once) == once
